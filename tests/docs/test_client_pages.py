"""Runs the Python of the pages about clients, top to bottom, against a real server."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.real_server import start, stop

ROOT = Path(__file__).parents[2]
PAGES = ["client.md", "hugging-face.md"]
ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a server of the bundled models."""
    server = start(ROOT / "models")
    yield server.url
    assert stop(server) == 0


@pytest.mark.parametrize("page", PAGES)
def test_python_of_the_page_runs(page: str, address: str, tmp_path: Path) -> None:
    """From the root of the project, as the page says, one block after the other."""
    text = (ROOT / "docs" / page).read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert ADDRESS in blocks[0]
    script = tmp_path / "page.py"
    script.write_text("\n".join(blocks).replace(ADDRESS, address))
    for name in ("docs", "README.md"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "cat" in done.stdout
