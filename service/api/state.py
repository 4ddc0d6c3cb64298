"""What the routes work with, and the parameters that they share."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request

from service.api.body import BodyLimits
from service.api.schemas import ModelRef, Problem
from service.codecs.image import ImageLimits
from service.tasks.catalog import Catalog, ServedModel
from service.workers import Workers


@dataclass(frozen=True)
class State:
    """Everything that lives as long as the application does."""

    catalog: Catalog
    workers: Workers
    image_limits: ImageLimits
    body_limits: BodyLimits


def _state_of(request: Request) -> State:
    state: State = request.app.state.convscope
    return state


CurrentState = Annotated[State, Depends(_state_of)]
Version = Annotated[
    int | None,
    Query(ge=1, le=10**9, description="Pins a version; unset, the highest that is ready."),
]

PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "The request cannot be answered.",
        "content": {
            "application/problem+json": {
                "schema": Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            }
        },
    }
}
PICTURES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "array", "items": {"type": "string", "format": "binary"}}
                    },
                }
            },
        },
    }
}


def ref(model: ServedModel) -> ModelRef:
    """Return the name and version of the model for an answer."""
    return ModelRef(name=model.manifest.name, version=model.manifest.version)
