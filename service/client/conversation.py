"""One question from the first try to the last, as steps that somebody else takes.

Here is all that both clients share: what is sent, when it is sent again, and what is made of what
comes back. It neither waits nor sends.
"""

import email.utils
import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any, NamedTuple, TypeVar

import httpx

from service.client.call import Answer, Call
from service.client.errors import (
    ClientError,
    NotReached,
    Refused,
    TimedOut,
    UnexpectedAnswer,
    problem_in,
    refusal_of,
)
from service.client.files import Part, in_memory, read_files

Told = TypeVar("Told")

_TIMEOUT_HEADER = "x-request-timeout-ms"
# Where the server does not say when: the first pause is up to so long, each further one twice
# that, and a random part of it keeps clients from coming back together.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
# Nothing of an answer was there when these happened, and asking twice does no harm.
_BROKEN = (httpx.NetworkError, httpx.RemoteProtocolError)
# What is said of one file; to a single one of several it is its result.
_OF_FILES = {"empty-input", "unsupported-media", "invalid-image", "invalid-audio", "too-large"}


@dataclass(frozen=True)
class Setup:
    """How a client asks.

    url: of the server, without a slash at its end. headers: of every request.
    timeout_s: for a question, with all its tries. retries: how many there are after the first.
    """

    url: str
    headers: Mapping[str, str]
    timeout_s: float
    retries: int


class Wait(NamedTuple):
    """A step: let so much time pass."""

    seconds: float


class Work(NamedTuple):
    """A step: do what blocks, and send what it returns."""

    do: Callable[[], Any]


class Send(NamedTuple):
    """A step: send that, and send the outcome: an Answer, or a Failure."""

    request: dict[str, Any]
    timeout_s: float


class Failure(NamedTuple):
    """Why there is no answer. begun: whether its beginning came."""

    error: httpx.RequestError
    begun: bool


Steps = Generator[Wait | Work | Send, Any, Told]


def converse(call: Call[Told], setup: Setup) -> Steps[Told]:
    """Ask, and again where that makes sense; return what came of it.

    Raises: ClientError; what reading the files raises.
    """
    if call.several and not call.files:
        return []  # type: ignore[return-value]  # the results of no files
    ends = monotonic() + setup.timeout_s
    reading = Work(lambda: read_files(call.files))
    parts = reading.do() if in_memory(call.files) else (yield reading)
    tries = 0
    while True:
        left_s = max(ends - monotonic(), 0.001)
        outcome = yield Send(_request(call, parts, setup, left_s), left_s)
        pause_s = _pause_s(call, outcome, tries)
        if pause_s is None or tries >= setup.retries or monotonic() + pause_s >= ends:
            return _told(call, outcome)
        yield Wait(pause_s)
        tries += 1


def _request(call: Call[Any], parts: list[Part], setup: Setup, left_s: float) -> dict[str, Any]:
    headers = {**setup.headers, "accept": call.accept, _TIMEOUT_HEADER: f"{left_s * 1000:.0f}"}
    request = {
        "method": call.method,
        "url": setup.url + call.path,
        "params": call.query,
        "headers": headers,
    }
    if len(parts) == 1:
        headers["content-type"] = "application/octet-stream"
        return request | {"content": parts[0].content}
    return request | ({"files": [("file", tuple(part)) for part in parts]} if parts else {})


def _pause_s(call: Call[Any], outcome: Answer | Failure, tries: int) -> float | None:
    """Return how long to wait before the next try, or None if there must be none."""
    if isinstance(outcome, Answer):
        if outcome.status != 503 or outcome.status in call.expected:
            return None
        return _retry_after_s(outcome)
    if outcome.begun or not isinstance(outcome.error, _BROKEN):
        return None
    most = min(_FIRST_PAUSE_S * 2**tries, _LONGEST_PAUSE_S)
    return random.uniform(most / 2, most)


def _retry_after_s(answer: Answer) -> float | None:
    """Return the seconds of Retry-After (RFC 9110, 10.2.3), which may be a date as well."""
    told = answer.headers.get("retry-after", "").strip()
    if told.isdecimal():
        return float(told)
    try:
        date = email.utils.parsedate_to_datetime(told)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


def _told(call: Call[Told], outcome: Answer | Failure) -> Told:
    if isinstance(outcome, Failure):
        raise _no_answer(call, outcome) from outcome.error
    if outcome.status in call.expected:
        return call.told(outcome)
    if 300 <= outcome.status < 400:
        where = outcome.headers.get("location", "elsewhere")
        raise UnexpectedAnswer(f"The server sends us to {where}: give the client that address.")
    refusal = _refusal(outcome)
    kind = refusal.problem.type.rpartition(":")[2]
    if call.several and len(call.files) == 1 and kind in _OF_FILES:
        return [refusal]  # type: ignore[return-value]  # as if there were others
    raise refusal


def _refusal(answer: Answer) -> Refused:
    problem = problem_in(answer.status, answer.content, answer.headers.get("x-request-id"))
    return refusal_of(problem, _retry_after_s(answer))


def _no_answer(call: Call[Any], failure: Failure) -> ClientError:
    error = failure.error
    if isinstance(error, httpx.TimeoutException):
        return TimedOut(f"{call.method} {call.path}: no answer came in time.")
    if failure.begun:
        return NotReached(f"{call.method} {call.path}: the answer broke off: {error}")
    return NotReached(f"{call.method} {call.path}: no answer came: {error or type(error).__name__}")
