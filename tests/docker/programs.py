"""Programs that the deployment is checked with, and the files that they check."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
_SCRIPTS = Path(sys.executable).parent


def own(name: str) -> str:
    """Return a program that the dev extra brings."""
    return str(_SCRIPTS / name)


def system(name: str, package: str) -> str:
    """Return a program of the system, or skip the test where it is not installed."""
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed; on Debian: apt-get install {package}")
    return found


def run(
    *words: str, cwd: Path = ROOT, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the program and return what it said."""
    return subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=60)
