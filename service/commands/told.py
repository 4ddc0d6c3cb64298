"""What a command says of one file."""

from collections.abc import Iterable
from typing import Any, NamedTuple


class Told(NamedTuple):
    """json: the server's answer. text: for people; what follows its first line is a table."""

    json: dict[str, Any]
    text: str


def classes_as_text(answer: dict[str, Any]) -> str:
    """Return the likeliest classes of an answer as a line."""
    return ", ".join(f"{p['label']} {p['probability']:.1%}" for p in answer["predictions"])


def values_as_text(values: Iterable[dict[str, Any]]) -> str:
    """Return quantities of an answer, to three digits, as a line.

    >>> values_as_text([{"name": "tempo", "unit": "BPM", "value": 98.7654}])
    'tempo 98.8 BPM'
    """
    return ", ".join(f"{v['name']} {_number(v['value'])} {v['unit']}" for v in values)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{float(f'{value:.3g}'):g}"


def shares_as_text(answer: dict[str, Any]) -> str:
    """Return the classes of an answer and how much of the whole each has as a line."""
    return ", ".join(f"{entry['label']} {entry['share']:.1%}" for entry in answer["classes"])
