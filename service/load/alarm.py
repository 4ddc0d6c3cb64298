"""Wakes the event loop at a time, to some microseconds where the system can."""

import asyncio
import ctypes
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol


class Alarm(Protocol):
    """Rings once for each `set`; may ring early, never much too late."""

    def set(self, when: float) -> None:
        """Ring at this time of `time.perf_counter`, and not at the one set before."""

    def close(self) -> None:
        """Do not ring any more."""


def alarm(ring: Callable[[], None]) -> Alarm:
    """Return the most exact alarm that there is here for the running loop."""
    loop = asyncio.get_running_loop()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            return TimerFd(loop, ring)
    return LoopTimer(loop, ring)


class LoopTimer:
    """The loop's own timers. They count whole milliseconds, in uvloop and in asyncio's epoll."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None

    def set(self, when: float) -> None:
        self.close()
        self._handle = self._loop.call_later(max(0.0, when - time.perf_counter()), self._ring)

    def close(self) -> None:
        if self._handle:
            self._handle.cancel()


class _Spec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class TimerFd:
    """Linux's timer that is a file. A millisecond is much where a request takes three.

    Source: timerfd_create(2); in Python's os module only from 3.13 on.
    Raises: OSError or AttributeError where the system has none.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._system = ctypes.CDLL(None, use_errno=True)
        monotonic, flags = 1, os.O_NONBLOCK | os.O_CLOEXEC
        self._file = self._system.timerfd_create(monotonic, flags)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._loop = loop
        loop.add_reader(self._file, self._on_readable, ring)

    def set(self, when: float) -> None:
        self._arm(max(1, round((when - time.perf_counter()) * 1e9)))

    def close(self) -> None:
        if self._file >= 0:
            self._loop.remove_reader(self._file)
            os.close(self._file)
            self._file = -1

    def _on_readable(self, ring: Callable[[], None]) -> None:
        self._arm(0)  # which also makes it unreadable
        ring()

    def _arm(self, delay_ns: int) -> None:
        seconds, nanoseconds = divmod(delay_ns, 1_000_000_000)
        spec = _Spec(0, 0, seconds, nanoseconds)
        if self._file >= 0:
            self._system.timerfd_settime(self._file, 0, ctypes.byref(spec), None)
