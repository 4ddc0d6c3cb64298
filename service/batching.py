"""One model's queue: items are prepared one by one, run together, and each is answered once.

Knows neither HTTP nor ONNX. A runner that is free takes whatever there is, so nothing ever
waits for company unless asked to. An item may be a block of several that stay together; its
weight is how many it counts for in a batch; in the queue it takes one place.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import repeat
from time import perf_counter
from typing import Any, Generic, TypeVar

from service.contract.errors import DeviceFault, ModelNotReady, Overloaded
from service.runners import Runners, Work
from service.ticket import Job, Out, Ran, Ticket

Raw = TypeVar("Raw")

# Inputs of different keys never share a batch.
Prepare = Callable[[Raw], tuple[Hashable, Any]]
# Inputs of one key, and whether nothing else is being worked on, to as many outputs.
RunTogether = Callable[[Sequence[Any], bool], Sequence[Out]]
_SMOOTHING = 0.1  # share of the newest batch in the mean seconds an item takes


@dataclass(frozen=True)
class BatchRules:
    """How items are gathered.

    max_batch_size: items run together at most.
    max_queue: items that may wait; of a request with more of them, half as many at a time, so
        that others are let in meanwhile.
    max_queue_delay_ms: how long an item may be held back for company.
    max_runs: batches run at once at most.
    """

    max_batch_size: int = 32
    max_queue: int = 64
    max_queue_delay_ms: float = 0.0
    max_runs: int = 1024


class Batcher(Generic[Raw, Out]):
    """The queue of one model version.

    prepare: makes one item ready to run and tells what it may be batched with;
        what it raises befalls that item alone.
    run: runs items of one key. If it raises, they are run again one by one, so that
        only the guilty one fails, unless it raises DeviceFault.
    batches: how many batches of each weight were run.
    """

    def __init__(
        self,
        prepare: Prepare[Raw],
        run: RunTogether[Out],
        runners: Runners,
        rules: BatchRules,
    ) -> None:
        self.batches: dict[int, int] = {}
        self._prepare = prepare
        self._run = run
        self._runners = runners
        self._rules = rules
        self._lanes = min(rules.max_runs, runners.count)
        self._raw: deque[Job] = deque()
        self._ready: dict[Hashable, deque[Job]] = {}
        self._waiting = 0  # items in _raw and _ready
        self._raw_weight = self._ready_weight = 0
        self._in_hand = 0  # items with a runner
        self._in_hand_weight = 0
        self._running = 0  # batches
        self._tickets: set[Ticket[Out]] = set()
        self._closed = False
        self._fastest_s = 0.0
        self._item_s = 0.0

    @property
    def rules(self) -> BatchRules:
        """How items are gathered."""
        return self._rules

    @property
    def lanes(self) -> int:
        """Batches that may be run at once."""
        return self._lanes

    @property
    def waiting(self) -> int:
        """Items that wait."""
        return self._waiting

    @property
    def in_hand(self) -> int:
        """Items that are being prepared or run."""
        return self._in_hand

    def check_room(self, items: int = 1) -> None:
        """Raise Overloaded if so many items would not be let in now."""
        if self._waiting and self._waiting + items > self._rules.max_queue:
            raise Overloaded(
                f"The queue is full: {self._waiting} items wait already.", self._retry_after_s()
            )

    def enqueue(
        self,
        raws: Sequence[Raw],
        timeout_s: float | None = None,
        weights: Sequence[int] | None = None,
    ) -> Ticket[Out]:
        """Let the items of a request in, all or none; call it on an event loop.

        weights: of each, from 1 to `max_batch_size`; None if every one counts as one.
        timeout_s: after so many seconds DeadlineExceeded is the answer; an item that
            cannot be run until then is dropped before it costs anything.
        Raises: Overloaded if the queue is full; ModelNotReady if it is closed.
        """
        if self._closed:
            raise ModelNotReady("The model is being unloaded.")
        ticket: Ticket[Out] = Ticket(self.forget, raws, timeout_s, weights or repeat(1))
        # before any runner can see it
        ticket.held_back = self._rules.max_queue_delay_ms > 0
        places = len(raws)
        if places > self._rules.max_queue:
            places = max(1, self._rules.max_queue // 2)
        with self._runners.lock:
            self.check_room(places)
            for job in ticket.jobs[:places]:
                self._put(job, self._raw)
            ticket.rest.extend(ticket.jobs[places:])
            self._runners.announce(self)
        if ticket.held_back:
            ticket.loop.call_later(self._rules.max_queue_delay_ms / 1000, self._let_go, ticket)
        self._tickets.add(ticket)
        ticket.future.add_done_callback(lambda _: self._tickets.discard(ticket))
        return ticket

    def forget(self, ticket: Ticket[Out]) -> None:
        """Drop what is left of a request that nobody waits for any more."""
        if ticket.left:
            with self._runners.lock:
                ticket.rest.clear()
                for job in ticket.jobs:
                    if job.place is not None:
                        job.place.remove(job)
                        self._taken(job)

    async def close(self) -> None:
        """Let nothing more in, and return when everything that was let in has its answer."""
        self._closed = True
        while self._tickets:
            await asyncio.wait([ticket.future for ticket in self._tickets])
            await asyncio.sleep(0)  # lets the callbacks of the futures run

    @property
    def pending(self) -> bool:
        """Whether items wait."""
        return self._waiting > 0

    def take(self) -> Work | None:
        """Return what a runner should do next for this model, or None; the lock is held."""
        # Where runs are fewer than runners, the others can prepare what comes next meanwhile.
        eager = self._lanes < self._runners.count
        if eager or self._ready_weight >= self._batch_size():
            return self._take_batch() or self._take_raw()
        return self._take_raw() or self._take_batch()

    def _batch_size(self) -> int:
        """Return how many may run together so that no runner stands idle meanwhile."""
        share = math.ceil(self._weight() / self._lanes)
        return min(self._rules.max_batch_size, share)

    def _take_batch(self) -> Work | None:
        """Take the group whose first item has waited longest, unless it may still wait."""
        if not self._ready or self._running >= self._lanes:
            return None
        group = min(self._ready.values(), key=lambda jobs: jobs[0].ticket.submitted)
        if group[0].ticket.held_back and sum(j.weight for j in group) < self._rules.max_batch_size:
            return None
        most = self._batch_size()
        batch = [group.popleft()]
        weight = batch[0].weight
        while group and weight + group[0].weight <= most:
            batch.append(group.popleft())
            weight += batch[-1].weight
        for job in batch:
            self._taken(job)
        self._in_hand += len(batch)
        self._in_hand_weight += weight
        self._running += 1
        return lambda alone: self._run_batch(batch, weight, alone)

    def _take_raw(self) -> Work | None:
        hopeless = perf_counter() + self._fastest_s
        while self._raw:
            job = self._raw.popleft()
            self._taken(job)
            if job.ticket.deadline < hopeless:
                with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    job.ticket.loop.call_soon_threadsafe(job.ticket.expire)
                continue
            if job.ticket.rest:
                self._put(job.ticket.rest.popleft(), self._raw)
            self._in_hand += 1
            self._in_hand_weight += job.weight
            return lambda alone: self._prepare_one(job)
        return None

    def _prepare_one(self, job: Job) -> None:
        started = perf_counter()
        try:
            job.key, job.input = self._prepare(job.raw)
        except Exception as error:
            self._finish([job], job.weight, [error])
            return
        finally:
            job.raw = None  # the body of a request may be large
            job.prepared = perf_counter() - started
        with self._runners.lock:
            self._in_hand -= 1
            self._in_hand_weight -= job.weight
            if not job.ticket.future.done():
                self._put(job, self._ready.setdefault(job.key, deque()))
                self._runners.announce_own(self)

    def _run_batch(self, batch: list[Job], weight: int, alone: bool) -> None:
        started = perf_counter()
        outcomes: list[Ran[Out] | Exception]
        try:
            outcomes = self._run_together(batch, weight, alone)
        except DeviceFault as error:
            outcomes = [error] * len(batch)
        except Exception as error:
            outcomes = [self._run_singly(job) for job in batch] if len(batch) > 1 else [error]
        seconds = perf_counter() - started
        with self._runners.lock:
            self._running -= 1
            self.batches[weight] = self.batches.get(weight, 0) + 1
            self._note_speed(batch, weight, seconds)
            if self._waiting:
                self._runners.announce_own(self)
        self._finish(batch, weight, outcomes)

    def _run_together(
        self, batch: list[Job], weight: int, alone: bool
    ) -> list[Ran[Out] | Exception]:
        started = perf_counter()
        outputs = self._run([job.input for job in batch], alone)
        ran = perf_counter() - started
        if len(outputs) != len(batch):
            raise RuntimeError(f"{len(batch)} items went in, but {len(outputs)} outputs came out")
        return [
            Ran(output, started - job.ticket.submitted - job.prepared, job.prepared, ran, weight)
            for job, output in zip(batch, outputs, strict=True)
        ]

    def _run_singly(self, job: Job) -> Ran[Out] | Exception:
        try:
            return self._run_together([job], job.weight, False)[0]
        except Exception as error:
            return error

    def _finish(
        self, jobs: list[Job], weight: int, outcomes: Sequence[Ran[Out] | Exception]
    ) -> None:
        """Hand the outcomes to those who wait for them, with one call an event loop."""
        complete: dict[asyncio.AbstractEventLoop, list[Ticket[Out]]] = {}
        with self._runners.lock:
            self._in_hand -= len(jobs)
            self._in_hand_weight -= weight
            for job, outcome in zip(jobs, outcomes, strict=True):
                job.outcome = outcome
                job.input = None
                job.ticket.left -= 1
                if not job.ticket.left:
                    complete.setdefault(job.ticket.loop, []).append(job.ticket)
        for loop, tickets in complete.items():
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_complete, tickets)

    def _put(self, job: Job, place: deque[Job]) -> None:
        place.append(job)
        job.place = place
        self._waiting += 1
        if place is self._raw:
            self._raw_weight += job.weight
        else:
            self._ready_weight += job.weight

    def _taken(self, job: Job) -> None:
        """Note that the job left its queue; an empty group goes, lest they pile up."""
        if job.place is self._raw:
            self._raw_weight -= job.weight
        else:
            self._ready_weight -= job.weight
            if not job.place:
                self._ready.pop(job.key, None)
        job.place = None
        self._waiting -= 1

    def _let_go(self, ticket: Ticket[Out]) -> None:
        with self._runners.lock:
            ticket.held_back = False
            self._runners.announce(self)

    def _note_speed(self, batch: list[Job], weight: int, seconds: float) -> None:
        prepared = sum(job.prepared for job in batch)
        item_s = (prepared + seconds) / weight / self._runners.count
        self._item_s += _SMOOTHING * (item_s - self._item_s) if self._item_s else item_s
        one_s = (prepared + seconds) / weight
        # The fastest ever: one slow start must not make later requests look hopeless.
        self._fastest_s = min(self._fastest_s or one_s, one_s)

    def _retry_after_s(self) -> int:
        """Return the whole seconds until what waits now will be done, as far as can be told."""
        return max(1, math.ceil(self._weight() * self._item_s))

    def _weight(self) -> int:
        """Return what all that waits or is in hand weighs."""
        return self._raw_weight + self._ready_weight + self._in_hand_weight


def _complete(tickets: list[Ticket[Any]]) -> None:
    for ticket in tickets:
        ticket.complete()
