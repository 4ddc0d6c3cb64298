"""What can go wrong when a server is asked, as one tree.

ClientError
├── Refused               the server answered with an error; carries its problem
│   ├── InvalidRequest    what was sent cannot be answered (4xx but for the following)
│   ├── KeyNeeded         no key came, or one that does not open this (401, 403)
│   ├── NotFound          no such model, version or layer (404); carries the nearest names
│   ├── Unavailable       not now (503): a full queue, or a model that is not ready
│   ├── TooLate           the answer would have come too late (504)
│   └── ServerFault       the server's own mistake, or that of a proxy (5xx but for these)
├── NotReached            no answer came: nobody listens there, or the connection broke
├── TimedOut              no answer came in time
└── UnexpectedAnswer      an answer came, but not one that was asked for
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ParameterError:
    """A parameter that is not as it should be."""

    parameter: str
    detail: str


@dataclass(frozen=True)
class Problem:
    """What the server says went wrong (RFC 9457); of another server, as much as it tells.

    nearest: names that exist, nearest first.
    """

    type: str
    title: str
    status: int
    detail: str
    request_id: str | None = None
    nearest: tuple[str, ...] = ()
    errors: tuple[ParameterError, ...] = ()


class ClientError(Exception):
    """Root of the tree."""


class Refused(ClientError):
    """The server answered with an error.

    retry_after_s: after which a new try makes sense; None where it did not say.
    """

    def __init__(self, problem: Problem, retry_after_s: float | None = None) -> None:
        self.problem = problem
        self.retry_after_s = retry_after_s
        super().__init__(problem, retry_after_s)

    def __str__(self) -> str:
        return f"{self.problem.status}: {self.problem.detail}"

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def request_id(self) -> str | None:
        """What the server's log calls the request."""
        return self.problem.request_id

    @property
    def nearest(self) -> tuple[str, ...]:
        """Names that exist, nearest to the one that was asked for first."""
        return self.problem.nearest


class InvalidRequest(Refused):
    """What was sent cannot be answered."""


class KeyNeeded(Refused):
    """No key came with the request, or one that does not open this."""


class NotFound(Refused):
    """There is no such model, version or layer."""


class Unavailable(Refused):
    """The server cannot answer now."""


class TooLate(Refused):
    """The answer would have come later than the server or the client allows."""


class ServerFault(Refused):
    """The server, or a proxy before it, made a mistake."""


class NotReached(ClientError):
    """No answer came, or only the beginning of one."""


class TimedOut(ClientError):
    """No answer came within the client's time."""


class UnexpectedAnswer(ClientError):
    """An answer came that is not of the kind that was asked for."""


_KINDS: dict[int, type[Refused]] = {
    401: KeyNeeded,
    403: KeyNeeded,
    404: NotFound,
    503: Unavailable,
    504: TooLate,
}


def refusal_of(problem: Problem, retry_after_s: float | None = None) -> Refused:
    """Return the exception for a problem, by its status."""
    other = InvalidRequest if problem.status < 500 else ServerFault
    return _KINDS.get(problem.status, other)(problem, retry_after_s)


def problem_of(told: Mapping[str, Any]) -> Problem:
    """Return the problem of a server's JSON; raises KeyError if it is none."""
    return Problem(
        told["type"],
        told["title"],
        int(told["status"]),
        told["detail"],
        told.get("request_id"),
        tuple(told.get("nearest") or ()),
        tuple(ParameterError(e["parameter"], e["detail"]) for e in told.get("errors") or ()),
    )


def problem_in(status: int, content: bytes, request_id: str | None) -> Problem:
    """Return the problem of an answer, whoever wrote it: a proxy knows no problems."""
    try:
        return problem_of(json.loads(content))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        detail = content[:200].decode("utf-8", "replace").strip() or "The answer was empty."
        return Problem("about:blank", "Not a problem of convscope", status, detail, request_id)
