"""One request, to learn whether more would make sense."""

import asyncio
import time

from service.load.answer import Answer
from service.load.dialer import Dialer
from service.load.failure import Failure, Unanswered
from service.load.lane import Lane
from service.load.run import LOOP_FACTORY
from service.load.target import Target


def probe(target: Target, body: bytes, timeout_s: float = 30.0) -> Answer:
    """Send one request and return its answer, good or not.

    Raises: Unanswered.
    """
    with asyncio.Runner(loop_factory=LOOP_FACTORY) as runner:
        return runner.run(_probe(target, body, timeout_s))


class _Sink:
    """Takes the one outcome there is."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.outcome: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def answered(self, since: float, now: float, status: int, body: bytes) -> None:
        self.outcome.set_result(Answer(status, body))

    def failed(self, since: float, kind: Failure) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(Unanswered(self._target.url, kind))


async def _probe(target: Target, body: bytes, timeout_s: float) -> Answer:
    sink = _Sink(target)
    lane = Lane(Dialer(target), timeout_s, sink, lambda _: None)
    lane.carry(target.request(body), time.perf_counter())
    try:
        return await sink.outcome
    finally:
        lane.close()
