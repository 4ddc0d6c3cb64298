"""What stays of an answer in an example, and when two answers are alike."""

from math import isclose
from typing import Any

# What is never the same twice, or on another machine.
_FLEETING = (
    *("_ms", "ns", "last_inference", "request_id", "memory_bytes", "golden_difference"),
    "batch_size",
)
_LONGEST, _KEPT = 6, 3


def shortened(value: Any) -> Any:
    """Return the value with long lists cut.

    >>> shortened({"a": list(range(100))})
    {'a': [0, 1, 2]}
    """
    if isinstance(value, dict):
        return {key: shortened(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shortened(each) for each in (value if len(value) <= _LONGEST else value[:_KEPT])]
    return value


def settled(new: Any, old: Any, key: str = "") -> Any:
    """Return the new value, or the old one where the two tell the same.

    >>> settled({"a": 0.5000001, "total_ms": 3}, {"a": 0.5, "total_ms": 2})
    {'a': 0.5, 'total_ms': 2}
    """
    if isinstance(new, dict) and isinstance(old, dict):
        return {name: settled(each, old.get(name), name) for name, each in new.items()}
    if isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        return [settled(one, other) for one, other in zip(new, old, strict=True)]
    if old is None or type(new) is not type(old):
        return new
    if key.endswith(_FLEETING):
        return old
    return old if isinstance(new, float) and isclose(new, old, rel_tol=1e-3, abs_tol=1e-5) else new


def shape(value: Any) -> Any:
    """Return the names and types in the value; of a list the shapes that occur in it.

    >>> shape({"a": [1, 2.5], "b": "text", "c": [{"d": None}]})
    {'a': ['number'], 'b': 'str', 'c': [{'d': 'NoneType'}]}
    """
    if isinstance(value, dict):
        return {key: shape(each) for key, each in sorted(value.items())}
    if isinstance(value, list):
        shapes = [shape(each) for each in value]
        return [each for place, each in enumerate(shapes) if each not in shapes[:place]]
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, int | float) else type(value).__name__
