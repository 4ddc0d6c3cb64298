"""What the routes work with, and the parameters that they share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request

from service.api.body import BodyLimits
from service.api.condition import Condition
from service.api.metrics import Metrics
from service.api.schemas import ModelRef
from service.api.turns import Turns
from service.batching import Batcher
from service.live import LiveCatalog
from service.tasks.catalog import Catalog, ServedModel


@dataclass(frozen=True)
class State:
    """Everything that lives as long as the application does.

    live: what is served. Take a model out of `catalog` again after every await.
    chores: the queue of work that is done one by one.
    finishing: that of what is left to do when a model has answered.
    turns: whose work of many steps advances.
    """

    metrics: Metrics
    condition: Condition

    live: LiveCatalog
    chores: Batcher[Callable[[], Any], Any]
    finishing: Batcher[Callable[[], Any], Any]
    turns: Turns
    body_limits: BodyLimits
    request_timeout_ms: float

    @property
    def catalog(self) -> Catalog:
        """What is served at this moment."""
        return self.live.catalog


def state_of(request: Request) -> State:
    """Return the state of the application that the request came to."""
    state: State = request.app.state.convscope
    return state


# a coroutine, because FastAPI would run a plain function in a thread of its own
async def _depend_on_state(request: Request) -> State:
    return state_of(request)


CurrentState = Annotated[State, Depends(_depend_on_state)]
Version = Annotated[
    int | None,
    Query(ge=1, le=10**9, description="Pins a version; unset, the highest that is ready."),
]

# Which errors a route can end in is concluded in description/failures.py; this keeps FastAPI from
# promising an error of its own shape.
PROBLEMS: dict[int | str, dict[str, Any]] = {"4XX": {"description": "An error in the request."}}
_FILE = {"type": "string", "format": "binary"}
# A file as the whole body. Many generators of clients know no ranges such as image/*.
RAW: dict[str, Any] = {
    media_type: {"schema": _FILE}
    for media_type in ("image/*", "audio/*", "application/octet-stream")
}


def _body(file: dict[str, Any]) -> dict[str, Any]:
    form = {"type": "object", "required": ["file"], "properties": {"file": file}}
    return {
        "requestBody": {
            "required": True,
            "content": {
                **RAW,
                "multipart/form-data": {"schema": form},
            },
        }
    }


FILE = _body(_FILE)
FILES = _body({"type": "array", "minItems": 1, "items": _FILE})


def ref(model: ServedModel) -> ModelRef:
    """Return the name and version of the model for an answer."""
    return ModelRef(name=model.manifest.name, version=model.manifest.version)
