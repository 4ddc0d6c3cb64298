"""What is asked of a server, and how its answer is read."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.client.errors import Refused, UnexpectedAnswer, problem_in, problem_of, refusal_of
from service.client.files import File
from service.client.reading import read
from service.client.results import Model, ModelState, Readiness

Kind = TypeVar("Kind")
Told = TypeVar("Told", covariant=True)
JSON, NPY = "application/json", "application/x-npy"


class Answer(NamedTuple):
    """What came back. headers: names in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True)
class Call(Generic[Told]):
    """One question.

    query: parameters, without those that are None. accept: the media type that is wanted.
    files: to be looked at. several: whether they are answered one by one, so that what is wrong
        with one of them is no exception.
    expected: statuses whose answers `told` reads.
    """

    path: str
    told: Callable[[Answer], Told]
    query: Mapping[str, Any] = field(default_factory=dict)
    accept: str = JSON
    files: Sequence[File] = ()
    several: bool = False
    expected: frozenset[int] = frozenset({200})

    @property
    def method(self) -> str:
        """The HTTP method: only questions about files have a body."""
        return "POST" if self.files else "GET"


def as_a(kind: type[Kind]) -> Callable[[Answer], Kind]:
    """Return what reads an answer as that dataclass."""
    return lambda answer: _fit(kind, _json(answer))


def as_each(kind: type[Kind]) -> Callable[[Answer], list[Kind | Refused]]:
    """Return what reads an answer to several files: for each a result, or why there is none."""
    return lambda answer: each(_json(answer), lambda told: _fit(kind, told))


def each(told: Any, one: Callable[[Any], Kind]) -> list[Kind | Refused]:
    """Read every result of an answer to several files, which to a single one is its result."""
    try:
        results = told.get("results", [told])
        return [
            refusal_of(problem_of(result)) if _is_problem(result) else one(result)
            for result in results
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnexpectedAnswer(f"The answer is none to several files: {error!r}.") from error


def as_array(answer: Answer) -> NDArray[Any]:
    """Return the array of an .npy file; raises UnexpectedAnswer if it is none."""
    try:
        array: NDArray[Any] = np.lib.format.read_array(
            io.BytesIO(answer.content), allow_pickle=False
        )
    except Exception as error:  # its head is read as Python, which fails in many ways
        raise UnexpectedAnswer(f"The answer is no .npy file: {error}") from error
    return array


def as_vectors(answer: Answer) -> list[NDArray[np.float32] | Refused]:
    """Return the embedding of every file, or why there is none; NaN where it is no number."""
    return each(_json(answer), lambda told: np.array(told["embedding"], np.float32))


def as_models(answer: Answer) -> tuple[Model, ...]:
    """Return what is served."""
    return _fit(_Models, _json(answer)).models


def as_readiness(answer: Answer) -> Readiness:
    """Return what the server says of itself, or a proxy of a server that is not there."""
    if answer.status == 200:
        return _fit(Readiness, _json(answer))
    problem = problem_in(answer.status, answer.content, None)
    try:
        states = read(_States, json.loads(answer.content)).models
    except (KeyError, TypeError, ValueError, AttributeError):
        states = ()
    return Readiness(False, states, problem.detail)


@dataclass(frozen=True)
class _Models:
    models: tuple[Model, ...]


@dataclass(frozen=True)
class _States:
    models: tuple[ModelState, ...]


def _is_problem(told: Mapping[str, Any]) -> bool:
    return "status" in told and "detail" in told


def _json(answer: Answer) -> Any:
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError) as error:
        raise UnexpectedAnswer(f"The answer is no JSON: {error}") from error


def _fit(kind: type[Kind], told: Any) -> Kind:
    try:
        return read(kind, told)
    except KeyError as error:
        raise UnexpectedAnswer(f"The answer is no {kind.__name__}: it has no {error}.") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise UnexpectedAnswer(f"The answer is no {kind.__name__}: {error}.") from error
