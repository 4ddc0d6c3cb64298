"""Requests that were answered with an error, in the tally of the version that they asked."""

from contextlib import suppress

from starlette.types import Scope

from service.api.noted import noted
from service.contract.errors import ConvscopeError
from service.tasks.catalog import Catalog

# What asks a model for its answer; all else looks into it.
_ANSWERS = frozenset({"classify", "segment", "measure", "infer", "hf"})


def note_failure(scope: Scope, task: str, seconds: float) -> None:
    """Note that the request was answered with an error, if it asked a version that is served.

    task: the last word of the route's pattern. seconds: from its first byte to the answer.
    """
    asked = noted(scope)
    if asked is None or task not in _ANSWERS:
        return
    catalog: Catalog = scope["app"].state.convscope.catalog
    with suppress(ConvscopeError):  # it has gone meanwhile, and its tally with it
        catalog.get(asked.model, asked.version).tally.fail(seconds * 1000)
