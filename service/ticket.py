"""What waits in a model's queue: the items of a request, and what comes of them."""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from time import perf_counter
from typing import Any, Generic, NamedTuple, TypeVar

from service.contract.errors import DeadlineExceeded

Out = TypeVar("Out")


class Ran(NamedTuple, Generic[Out]):
    """An output and where its time went, in seconds.

    waited: neither prepared nor run. ran: the whole batch, whose items weigh `batch_size`.
    """

    output: Out
    waited: float
    prepared: float
    ran: float
    batch_size: int


class Job:
    """One item. place: the queue in which it waits, or None if it is in a runner's hands."""

    __slots__ = ("input", "key", "outcome", "place", "prepared", "raw", "ticket", "weight")

    def __init__(self, raw: Any, ticket: "Ticket[Any]", weight: int) -> None:
        self.raw = raw
        self.ticket = ticket
        self.weight = weight
        self.key: Hashable = None
        self.input: Any = None
        self.prepared = 0.0
        self.place: deque[Job] | None = None
        self.outcome: Ran[Any] | Exception | None = None


class Ticket(Generic[Out]):
    """The items of one request. Belongs to the event loop on which it was made.

    rest: those that have no place in the queue yet.
    forget: drops what is left of it from its queue.
    """

    def __init__(
        self,
        forget: "Callable[[Ticket[Out]], None]",
        raws: Sequence[Any],
        timeout_s: float | None,
        weights: Iterable[int],
    ) -> None:
        self.submitted = perf_counter()
        self.deadline = math.inf if timeout_s is None else self.submitted + timeout_s
        self.jobs = [Job(raw, self, weight) for raw, weight in zip(raws, weights, strict=False)]
        self.rest: deque[Job] = deque()
        self.left = len(self.jobs)
        self.held_back = False  # for company
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self.loop.create_future()
        self._forget = forget
        self._timeout_s = timeout_s

    async def outcomes(self) -> list[Ran[Out] | Exception]:
        """Return each item's output, or the error that befell it, in their order.

        Raises: DeadlineExceeded; what `abandon` was given.
        Cancelling this drops the items that are not yet in a runner's hands.
        """
        timer = None
        if self._timeout_s is not None:
            timer = self.loop.call_later(self._timeout_s, self.expire)
        try:
            await self.future
        finally:
            if timer is not None:
                timer.cancel()
            self._forget(self)
            # Ticket and jobs know each other: a circle, which would keep what they hold alive.
            jobs, self.jobs = self.jobs, []
        return [job.outcome for job in jobs if job.outcome is not None]

    def abandon(self, error: Exception) -> None:
        """Answer with the error and drop what has not begun; too late, it does nothing."""
        if not self.future.done():
            self.future.set_exception(error)

    def expire(self) -> None:
        """Answer that the time is over."""
        if not self.future.done():
            what = "The answer could not be ready within the time that it was given."
            self.future.set_exception(DeadlineExceeded(what))

    def complete(self) -> None:
        """Answer with the outcomes."""
        if not self.future.done():
            self.future.set_result(None)
