"""What a process holds, from /proc (Linux)."""

import asyncio
import re
from pathlib import Path
from statistics import median
from typing import NamedTuple

_EVERY_S = 0.5
_SAMPLES = 5


class Vitals(NamedTuple):
    """rss_mib: memory that it has in RAM. files: open descriptors."""

    rss_mib: float
    threads: float
    files: float


def vitals_of(pid: int) -> Vitals:
    """Return what the process holds now. Raises: OSError if there is none."""
    process = Path("/proc") / str(pid)
    status = (process / "status").read_text()
    files = sum(1 for _ in (process / "fd").iterdir())
    rss_kib, threads = _field(status, "VmRSS"), _field(status, "Threads")
    return Vitals(rss_kib / 1024, threads, files)


def started_at(pid: int) -> int:
    """Return when the process was started, in the kernel's ticks: pids are used again."""
    stat = (Path("/proc") / str(pid) / "stat").read_text()
    return int(stat.rpartition(")")[2].split()[19])  # field 22, man 5 proc


async def watch(pid: int, samples: list[Vitals]) -> None:
    """Add a sample from time to time, until cancelled."""
    while True:
        samples.append(vitals_of(pid))
        await asyncio.sleep(_EVERY_S)


async def level_of(pid: int) -> Vitals:
    """Return the medians of some samples of a process that rests."""
    samples = []
    for _ in range(_SAMPLES):
        samples.append(vitals_of(pid))
        await asyncio.sleep(_EVERY_S)
    return Vitals(*(median(figures) for figures in zip(*samples, strict=True)))


def _field(status: str, name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE)
    assert found, f"/proc has no {name}"
    return float(found[1])
