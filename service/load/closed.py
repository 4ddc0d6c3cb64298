"""Closed loop: so many connections, each of which asks again when it is answered."""

import asyncio
import time

from service.load.lane import Lane
from service.load.traffic import Traffic

# Where nobody listens, asking as fast as the machine can would only keep it from being started.
_PAUSE_S = 0.05


class ClosedLoop(Traffic):
    """As many requests under way as there are connections, at any time."""

    def start(self) -> None:
        for _ in range(self._job.concurrency):
            self._next(self._new_lane())

    def _on_free(self, lane: Lane) -> None:
        if lane.unreachable:
            asyncio.get_running_loop().call_later(_PAUSE_S, self._next, lane)
        else:
            self._next(lane)

    def _next(self, lane: Lane) -> None:
        now = time.perf_counter()
        if now < self._tally.end:
            self._carry(lane, now)
