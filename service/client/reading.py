"""JSON to the dataclasses that describe it."""

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Kind = TypeVar("Kind")
Reader = Callable[[Any], Any]


def read(kind: type[Kind], told: Any) -> Kind:
    """Return the JSON as that dataclass; lists become tuples, and what is new is passed over.

    Raises: KeyError, TypeError, ValueError or AttributeError if it does not fit.
    """
    wanted: Any = kind
    result: Kind = _reader(wanted)(told)
    return result


@cache
def _reader(kind: Any) -> Reader:
    if is_dataclass(kind):
        return _dataclass_reader(kind)
    origin, parts = get_origin(kind), get_args(kind)
    if origin is tuple:
        return _tuple_reader(parts)
    if origin in (Union, types.UnionType):
        return _optional_reader(parts)
    return _as_it_is


def _dataclass_reader(kind: Any) -> Reader:
    hints = get_type_hints(kind)
    needed = [
        (field.name, _reader(hints[field.name]), field.default is MISSING) for field in fields(kind)
    ]

    def read_it(told: Mapping[str, Any]) -> Any:
        found = {name: reader(told[name]) for name, reader, must in needed if must or name in told}
        return kind(**found)

    return read_it


def _tuple_reader(parts: tuple[Any, ...]) -> Reader:
    if len(parts) == 2 and parts[1] is Ellipsis:
        one = _reader(parts[0])
        return lambda told: tuple(map(one, told))
    each = [_reader(part) for part in parts]
    return lambda told: tuple(one(item) for one, item in zip(each, told, strict=True))


def _optional_reader(parts: tuple[Any, ...]) -> Reader:
    (first, *_) = (part for part in parts if part is not types.NoneType)
    one = _reader(first)
    return lambda told: None if told is None else one(told)


def _as_it_is(told: Any) -> Any:
    return told
