"""What closed and open loops share: lanes, the next request, and how it ends."""

import asyncio
from abc import ABC, abstractmethod

from service.load.dialer import Dialer
from service.load.job import Job
from service.load.lane import Lane
from service.load.tally import Tally


class Traffic(ABC):
    """Requests on their way. `start`, later `end`, wait for `idle`, and in any case `cut`.

    tally: counts them; its `end` is when the last may become due.
    """

    def __init__(self, job: Job, dialer: Dialer, tally: Tally) -> None:
        self.idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when no more will be sent and nothing is under way."""
        self._job = job
        self._dialer = dialer
        self._tally = tally
        self._requests = job.requests()
        self._lanes: list[Lane] = []
        self._under_way = 0
        self._ended = False

    @abstractmethod
    def start(self) -> None:
        """Begin to send."""

    @abstractmethod
    def _on_free(self, lane: Lane) -> None:
        """Do what is next on a lane whose request is over."""

    def end(self) -> None:
        """Wait no more for what becomes due; what is due already goes on."""
        self._ended = True
        self._settle()

    def cut(self) -> None:
        """Give up all that is under way, and close all connections."""
        for lane in self._lanes:
            lane.close()

    def _new_lane(self) -> Lane:
        lane = Lane(self._dialer, self._job.timeout_s, self._tally, self._freed)
        self._lanes.append(lane)
        return lane

    def _carry(self, lane: Lane, since: float) -> None:
        self._under_way += 1
        lane.carry(next(self._requests), since)

    def _freed(self, lane: Lane) -> None:
        self._under_way -= 1
        self._on_free(lane)
        if self._ended:
            self._settle()

    def _settle(self) -> None:
        if not self._under_way and not self.idle.done():
            self.idle.set_result(None)
