"""What was found out about a file, and how surely."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

Sureness = Literal["certain", "likely", "told", "unknown"]


class Finding(NamedTuple):
    """One line of the table.

    sure: `certain` if the file says so, `likely` if it was concluded, `told` by the operator,
        `unknown` where nobody knows.
    because: why it is thought so, and which flag overrides it.
    """

    what: str
    value: str
    sure: Sureness
    because: str = ""


def as_table(findings: Sequence[Finding]) -> str:
    """Return the findings as aligned lines.

    >>> print(as_table([Finding("opset", "9", "certain"), Finding("batch", "any", "told", "so")]))
    opset  9    certain
    batch  any  told     so
    """
    widths = [max(len(row[column]) for row in findings) for column in range(3)]
    return "\n".join(
        "  ".join(
            [*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]]
        ).rstrip()
        for row in findings
    )
