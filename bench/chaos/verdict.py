"""What was wanted, what was measured, and whether that is enough."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_SHOWN = {True: "PASS", False: "**FAIL**", None: ""}


@dataclass(frozen=True)
class Check:
    """One line of the table. kept: None for a figure of which nothing was wanted."""

    phase: str
    what: str
    measured: str
    wanted: str = ""
    kept: bool | None = None


def table(checks: Iterable[Check]) -> str:
    """Return the checks as a Markdown table."""
    rows = [
        (check.phase, check.what, check.measured, check.wanted, _SHOWN[check.kept])
        for check in checks
    ]
    lines = [("phase", "what", "measured", "wanted", ""), ("---",) * 5, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def kinds_table(kinds: Mapping[str, Counter[str]]) -> str:
    """Return how often each kind of request ended how, as a Markdown table."""
    rows = [
        f"| {kind} | {counts.total():,} | "
        + ", ".join(f"{how}: {n:,}" for how, n in sorted(counts.items()))
        + " |"
        for kind, counts in kinds.items()
    ]
    return "\n".join(["| request | sent | answers |", "|---|---|---|", *rows])
