"""On what it was measured: a figure without its machine says little."""

import os
import platform
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from service.cpus import available_cpus


def describe_machine(packages: Iterable[str]) -> str:
    """Return date, processor, memory, system, load and versions of packages, as a sentence."""
    date = datetime.now(UTC).date().isoformat()
    return (
        f"{date}, {available_cpus()} processors of {_processor()}, {_memory_gib():.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, "
        f"{', '.join(_versions(packages))}; load average when it began: {os.getloadavg()[0]:.2f}."
    )


def _processor() -> str:
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _versions(packages: Iterable[str]) -> list[str]:
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return found
