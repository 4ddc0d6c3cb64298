"""`convscope serve` as a process of its own."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[2]
ADMIN_KEY = "chaos-and-nobody-else"


@dataclass(frozen=True)
class Server:
    """A server that answers. models: the folder that it serves; log: what it writes to stderr."""

    process: "subprocess.Popen[str]"
    port: int
    models: Path
    log: Path

    @property
    def tracebacks(self) -> int:
        """How many stack traces its log has: each is something that nobody foresaw."""
        return self.log.read_text(errors="replace").count("Traceback (most recent call last)")

    def memory_mib(self, what: Literal["VmRSS", "VmHWM"]) -> float:
        """Return what the process has in memory now, or had at the most, in MiB."""
        status = (Path("/proc") / str(self.process.pid) / "status").read_text()
        found = re.search(rf"^{what}:\s+(\d+) kB", status, re.MULTILINE)
        assert found
        return int(found[1]) / 1024


@contextmanager
def serving(place: Path, cpus: set[int], device: str) -> Iterator[Server]:
    """Serve a copy of the bundled models on these processors.

    place: a folder for what the server needs; made anew.
    """
    shutil.rmtree(place, ignore_errors=True)
    models, log = place / "models", place / "log"
    shutil.copytree(ROOT / "models", models)
    with log.open("w") as errors, on_processors(cpus):
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "service", "serve", "--port", "0"),
                *("--models-dir", str(models), "--device", device),
            ],
            cwd=ROOT,
            env=os.environ | {"CONVSCOPE_ADMIN_KEYS": ADMIN_KEY},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield Server(process, _port(process, log), models, log)
    finally:
        process.kill()
        process.communicate()  # which also closes the pipe


@contextmanager
def on_processors(cpus: set[int]) -> Iterator[None]:
    """Run this thread, and what it starts, on these processors meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def apart() -> tuple[set[int], set[int]]:
    """Return the processors for the server and those for the load: the last one, if it can be.

    Sharing them, twice the load would take from the server what it is to be measured by.
    """
    cpus = sorted(os.sched_getaffinity(0))
    return (set(cpus[:-1]), set(cpus[-1:])) if len(cpus) > 1 else (set(cpus), set(cpus))


def _port(process: "subprocess.Popen[str]", log: Path) -> int:
    assert process.stdout is not None
    greeting = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:(\d+),", greeting)
    if not found:
        raise RuntimeError(f"The server did not start: {greeting}{log.read_text()[-2000:]}")
    return int(found[1])
