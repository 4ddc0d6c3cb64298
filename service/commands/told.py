"""What a command says of one file."""

from typing import Any, NamedTuple


class Told(NamedTuple):
    """json: the server's answer. text: for people; what follows its first line is a table."""

    json: dict[str, Any]
    text: str


def classes_as_text(answer: dict[str, Any]) -> str:
    """Return the likeliest classes of an answer as a line."""
    return ", ".join(f"{p['label']} {p['probability']:.1%}" for p in answer["predictions"])


def shares_as_text(answer: dict[str, Any]) -> str:
    """Return the classes of an answer and how much of the whole each has as a line."""
    return ", ".join(f"{entry['label']} {entry['share']:.1%}" for entry in answer["classes"])
