"""How far a sweep is, on standard error: a bar for people, a line now and then for logs."""

import shutil
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TextIO

from service.contract.errors import SetupError

_REDRAW_S = 0.1
_LINE_S = 30.0
_BAR = 24


class Progress:
    """Tells how many files are answered, how many a second, and how long the rest will take.

    stream: None tells nothing.
    before: how many were done when it began; they say nothing of the speed.
    """

    def __init__(self, stream: TextIO | None, before: int) -> None:
        self._stream = stream
        self._drawn = stream is not None and stream.isatty()
        self._before = before
        self._done = self._failed = 0
        self._total: int | None = None
        self._began = self._told = time.monotonic()

    def count(self, files: Iterable[object]) -> None:
        """Find out in the background how many there are in all."""

        def count() -> None:
            with suppress(OSError, SetupError):  # whoever answers them will tell
                self._total = sum(1 for _ in files)

        threading.Thread(target=count, name="convscope-count", daemon=True).start()

    def note(self, done: int, failed: int) -> None:
        """Note more files; tell it if it is time to."""
        self._done += done
        self._failed += failed
        now = time.monotonic()
        if now >= self._told + (_REDRAW_S if self._drawn else _LINE_S):
            self._told = now
            line = self._line(now - self._began)
            self._write(f"\r{_fit(line)}\x1b[K" if self._drawn else f"{line}\n")

    def close(self) -> None:
        """Leave a clean line."""
        if self._drawn:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        if self._stream is not None:
            self._stream.write(text)
            self._stream.flush()

    def _line(self, seconds: float) -> str:
        done, rate = self._before + self._done, self._done / max(seconds, 1e-9)
        parts = [f"{done:,} files", f"{rate:,.1f} a second"]
        if self._total:
            share = min(1.0, done / self._total)
            bar = f"[{'#' * int(share * _BAR):-<{_BAR}}]"
            parts[0] = f"{bar} {share:4.0%}  {done:,} of {self._total:,}"
            if rate:
                left = max(0, self._total - done) / rate
                parts.append(f"{_clock(left)} left")
        if self._failed:
            parts.append(f"{self._failed:,} failed")
        return "  ".join(parts)


def _fit(line: str) -> str:
    return line[: shutil.get_terminal_size().columns - 1]


def _clock(seconds: float) -> str:
    """Return hours, minutes and seconds.

    >>> _clock(3661.2)
    '1:01:01'
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
