"""What a route notes about its answer, for the log and the trace to read when it is sent."""

from typing import NamedTuple

from starlette.types import Scope

from service.tasks.timing import Timing

_KEY = "noted"


class Noted(NamedTuple):
    """Who answered, and where the time went if that was measured."""

    model: str
    version: int
    timing: Timing | None


def note_timing(scope: Scope, model: str, version: int, timing: Timing | None = None) -> None:
    """Note which model answers the request; of several files, what is noted last stands.

    Call it before the answer begins. It costs one dictionary entry, whoever reads it or not.
    """
    scope["state"][_KEY] = Noted(model, version, timing)


def noted(scope: Scope) -> Noted | None:
    """Return what was noted, or None if nothing was."""
    found: Noted | None = scope["state"].get(_KEY)
    return found
