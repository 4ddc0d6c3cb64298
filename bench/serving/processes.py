"""Processor time of a process and all that it started, from /proc (Linux)."""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_PATIENCE_S = 5.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """Return the process and its living descendants."""
    parents = {int(entry.name): _parent(entry) for entry in _PROC.iterdir() if entry.name.isdigit()}
    found = [pid]
    for member in found:  # grows while it is walked
        found += [child for child, parent in parents.items() if parent == member]
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the processor time that these have used, and the children that they waited for."""
    return sum(_ticks(_PROC / str(pid)) for pid in pids) / _TICKS_PER_S


def kill(pids: list[int]) -> None:
    """Kill those that still live, and wait until they are gone."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + _PATIENCE_S
    while any((_PROC / str(pid)).exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)


def _fields(process: Path) -> list[str]:
    """Return the fields of `stat` from the third on: names of programs may hold anything."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return []


def _parent(process: Path) -> int | None:
    fields = _fields(process)
    return int(fields[1]) if fields else None


def _ticks(process: Path) -> int:
    """Return user and system time, one's own and that of buried children (man 5 proc)."""
    return sum(int(field) for field in _fields(process)[11:15])
