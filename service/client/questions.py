"""The methods that both clients have: each asks one of `calls`, at once or awaited."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

import service.client.calls as calls
from service.client.call import Call

Told = TypeVar("Told")
Parameters = ParamSpec("Parameters")


class _Asks(Protocol):
    def send(self, call: Call[Told]) -> Told: ...


class _AsksLater(Protocol):
    def send(self, call: Call[Told]) -> Coroutine[Any, Any, Told]: ...


class Question(Generic[Parameters, Told]):
    """A method that sends what `make` returns, with the parameters and the docstring of `make`."""

    def __init__(self, make: Callable[Parameters, Call[Told]]) -> None:
        self._make = make

    @overload
    def __get__(self, client: None, kind: type) -> Callable[Parameters, Call[Told]]: ...

    @overload
    def __get__(self, client: _Asks, kind: type) -> Callable[Parameters, Told]: ...

    @overload
    def __get__(
        self, client: _AsksLater, kind: type
    ) -> Callable[Parameters, Coroutine[Any, Any, Told]]: ...

    def __get__(self, client: Any, kind: type) -> Any:
        if client is None:
            return self._make  # for help() and the like

        @wraps(self._make)
        def ask(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Any:
            return client.send(self._make(*args, **kwargs))

        return ask


class Questions:
    """All that can be asked."""

    classify = Question(calls.classify)
    classify_all = Question(calls.classify_all)
    segment = Question(calls.segment)
    segment_all = Question(calls.segment_all)
    segment_sound = Question(calls.segment_sound)
    segment_sounds = Question(calls.segment_sounds)
    measure = Question(calls.measure)
    measure_all = Question(calls.measure_all)
    embed = Question(calls.embed)
    embed_all = Question(calls.embed_all)
    feature_maps = Question(calls.feature_maps)
    explain = Question(calls.explain)
    explain_map = Question(calls.explain_map)
    stability = Question(calls.stability)
    kernels = Question(calls.kernels)
    layers = Question(calls.layers)
    models = Question(calls.models)
    model = Question(calls.model)
    ready = Question(calls.ready)
