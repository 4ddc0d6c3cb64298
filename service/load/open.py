"""Open loop: requests are due at their times, however slow the answers are."""

import time
from collections import deque
from math import inf

from service.load.alarm import alarm
from service.load.dialer import Dialer
from service.load.job import Job
from service.load.lane import Lane
from service.load.schedule import poisson
from service.load.tally import Tally
from service.load.traffic import Traffic


class OpenLoop(Traffic):
    """Requests that find all connections busy wait, first come first served.

    Their latency counts from when they were due, and so has the waiting in it: a server that
    stalls is not spared the requests that would have come meanwhile ("coordinated omission").
    """

    def __init__(self, job: Job, dialer: Dialer, tally: Tally) -> None:
        super().__init__(job, dialer, tally)
        assert job.rate is not None
        self._alarm = alarm(self._ring)
        self._arrivals = poisson(job.rate, tally.begin - job.warmup_s, tally.end, job.seed)
        self._due = next(self._arrivals, inf)
        self._waiting: deque[float] = deque()
        # Last in, first out, so that few connections are used where few are enough.
        self._free_lanes: list[Lane] = []

    def start(self) -> None:
        self._ring()

    def end(self) -> None:
        self._ring()
        self._due = inf
        self._alarm.close()
        super().end()

    def cut(self) -> None:
        self._alarm.close()
        super().cut()
        for since in self._waiting:
            self._tally.failed(since, "interrupted")
        self._waiting.clear()

    def _ring(self) -> None:
        now = time.perf_counter()
        while self._due <= now:
            self._waiting.append(self._due)
            self._due = next(self._arrivals, inf)
        while self._waiting and (lane := self._take_lane()):
            self._on_free(lane)
        if self._due < inf:
            self._alarm.set(self._due)

    def _take_lane(self) -> Lane | None:
        if self._free_lanes:
            return self._free_lanes.pop()
        return self._new_lane() if len(self._lanes) < self._job.concurrency else None

    def _on_free(self, lane: Lane) -> None:
        since = self._next_waiting()
        if since is None:
            self._free_lanes.append(lane)
        else:
            self._carry(lane, since)

    def _next_waiting(self) -> float | None:
        """Return when the oldest was due that waits and whose time is not over yet."""
        over = time.perf_counter() - self._job.timeout_s
        while self._waiting:
            since = self._waiting.popleft()
            if since > over:
                return since
            self._tally.failed(since, "timeout")
        return None
