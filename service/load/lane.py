"""A place for one request at a time."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from service.load.dialer import Dialer
from service.load.failure import Failure, kind_of
from service.load.wire import Wire


class Sink(Protocol):
    """Who counts what becomes of requests. Times are seconds of `time.perf_counter`."""

    def answered(self, since: float, now: float, status: int, body: bytes) -> None:
        """A request that was due at `since` is answered."""

    def failed(self, since: float, kind: Failure) -> None:
        """A request that was due at `since` will never be answered."""


class Lane:
    """Carries one request at a time, over a connection that is opened whenever there is none.

    timeout_s: how long after it was due a request is given up.
    free: called after each request, however it ended.
    """

    def __init__(
        self, dialer: Dialer, timeout_s: float, sink: Sink, free: Callable[["Lane"], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._dialer = dialer
        self._timeout_s = timeout_s
        self._sink = sink
        self._free = free
        self._wire: Wire | None = None
        self._opening: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._busy = False
        self._since = 0.0
        self.unreachable = False
        """Whether the last request failed because no connection could be opened."""

    @property
    def connected(self) -> bool:
        """Whether there is a connection that could carry a request."""
        return self._wire is not None and self._wire.open

    def carry(self, request: bytes, since: float) -> None:
        """Send a request that was due at `since`; how it ends is told to the sink, later."""
        self._busy, self._since, self.unreachable = True, since, False
        if self._timer is None:
            left_s = since + self._timeout_s - time.perf_counter()
            self._timer = self._loop.call_later(max(0.0, left_s), self._expire)
        if self._wire is not None and self._wire.open:
            self._wire.send(request)
        else:
            self._opening = self._loop.create_task(self._open(request))

    def close(self) -> None:
        """Give up what is under way, and the connection."""
        if self._timer:
            self._timer.cancel()
        self._hang_up()
        if self._busy:
            self._busy = False
            self._sink.failed(self._since, "interrupted")

    async def _open(self, request: bytes) -> None:
        try:
            wire = await self._dialer.open()
        except OSError as error:
            self._opening = None
            self.unreachable = True
            self._fail(kind_of(error))
            return
        self._opening = None
        if wire.open:
            self._wire, wire.owner = wire, self
            wire.send(request)
        else:
            self._fail("closed")

    def on_answer(self, status: int, body: bytes, reusable: bool) -> None:
        now = time.perf_counter()
        self._busy = False
        if not reusable:
            self._hang_up()
        self._sink.answered(self._since, now, status, body)
        self._free(self)

    def on_lost(self, kind: Failure) -> None:
        self._wire = None
        # Servers may close a connection that nothing is asked on.
        if self._busy:
            self._fail(kind)

    def _fail(self, kind: Failure) -> None:
        self._hang_up()
        self._busy = False
        self._sink.failed(self._since, kind)
        self._free(self)

    def _expire(self) -> None:
        """Give up if it is time; one timer serves many requests, since most outrun it."""
        self._timer = None
        if not self._busy:
            return
        left_s = self._since + self._timeout_s - time.perf_counter()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._expire)
        else:
            self._fail("timeout")

    def _hang_up(self) -> None:
        if self._opening:
            self._opening.cancel()
            self._opening = None
        if self._wire:
            self._wire.drop()
            self._wire = None
