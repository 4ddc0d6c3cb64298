"""How long an answer is waited for: as long as the client is there and its time is not over."""

import asyncio
from collections.abc import Callable, Generator
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from service.api.condition import Condition
from service.api.state import State
from service.batching import Batcher
from service.contract.errors import DeviceFault, InvalidParameter
from service.ticket import Ran, Ticket

Out = TypeVar("Out")

HEADER = "x-request-timeout-ms"
TIMEOUT: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Milliseconds after which the answer is of no use; then 504 is answered.",
    "schema": {"type": "number", "exclusiveMinimum": 0, "examples": [2000]},
}
# Most answers are there before this, and need no look at whether the client still is.
_NOTICE_S = 0.05


def timeout_s(request: Request, most_ms: float) -> float:
    """Return the seconds that the answer may take: what the client asks for, within `most_ms`.

    Raises: InvalidParameter if the header is no positive number.
    """
    asked = request.headers.get(HEADER)
    if asked is None:
        return most_ms / 1000
    try:
        asked_ms = float(asked)
    except ValueError:
        asked_ms = 0.0
    if not asked_ms > 0:
        raise InvalidParameter(f"{HEADER} must be a positive number of milliseconds.")
    return min(asked_ms, most_ms) / 1000


async def do(work: Callable[[], Any], request: Request, state: State) -> Any:
    """Have a runner do the work when its turn comes; return or raise what it does."""
    return await _done(work, request, state, state.chores)


async def finish(work: Callable[[], Any], request: Request, state: State) -> Any:
    """The same for what is left of an answer; never refused, since so much was spent on it."""
    return await _done(work, request, state, state.finishing)


async def do_in_steps(work: Generator[None, None, Out], request: Request, state: State) -> Out:
    """Have runners do the work step by step, so that others have their turn between two of them.

    What is left is dropped when the time for all of it is over, or when the client leaves.
    Few advance at a time; see `Turns`. The body must have been read.
    Raises: as `Turns.taken`; what the work raises.
    """
    limit_s, started = timeout_s(request, state.request_timeout_ms), perf_counter()
    queue = state.chores
    ended: tuple[Out] | None = None
    async with state.turns.taken(limit_s):
        while ended is None:
            left_s = max(0.0, limit_s - (perf_counter() - started))
            ended = await _done(partial(_advance, work), request, state, queue, left_s)
            queue = state.finishing
            # most steps are too short for it to be noticed there
            if ended is None and await request.is_disconnected():
                raise ClientDisconnect
    return ended[0]


def _advance(work: Generator[None, None, Out]) -> tuple[Out] | None:
    """Take one step; return the result in a tuple if it was the last one."""
    try:
        next(work)
    except StopIteration as end:
        return (end.value,)
    return None


async def _done(
    work: Callable[[], Any],
    request: Request,
    state: State,
    queue: Batcher[Any, Any],
    limit_s: float | None = None,
) -> Any:
    if limit_s is None:
        limit_s = timeout_s(request, state.request_timeout_ms)
    ticket = queue.enqueue([work], limit_s)
    (outcome,) = await outcomes(request, ticket, state.condition)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome.output


async def outcomes(
    request: Request, ticket: Ticket[Out], condition: Condition
) -> list[Ran[Out] | Exception]:
    """Return the ticket's outcomes; what has not begun when the client leaves is dropped.

    A broken device is latched.

    The body must have been read. Raises: as `Ticket.outcomes`; ClientDisconnect.
    """
    watching: list[asyncio.Task[None]] = []

    def watch() -> None:
        watching.append(ticket.loop.create_task(_abandon_if_left(request, ticket)))

    timer = ticket.loop.call_later(_NOTICE_S, watch)
    try:
        answers = await ticket.outcomes()
    finally:
        timer.cancel()
        for task in watching:
            task.cancel()
    for answer in answers:
        if isinstance(answer, DeviceFault):
            condition.latch(str(answer))
    return answers


async def _abandon_if_left(request: Request, ticket: Ticket[Any]) -> None:
    message = await request.receive()
    if message["type"] == "http.disconnect":
        ticket.abandon(ClientDisconnect())
