"""Why a model says what it says: POST explain, and GET for what can be asked."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.api.accept import choose_media_type
from service.api.body import read_one_file
from service.api.explain_answer import JSON, PNG, explained, methods_out
from service.api.explain_schemas import ExplainableOut, ExplainQuery, ExplanationOut
from service.api.noted import note_timing
from service.api.npy import NPY
from service.api.patience import TIMEOUT, do, do_in_steps
from service.api.state import FILE, PROBLEMS, CurrentState, Version
from service.tasks.catalog import ServedModel

router = APIRouter(responses=PROBLEMS, tags=["Reasons"])

# The first is what browsers and curl get, which accept anything.
_OFFERED = (PNG, NPY, JSON)
_BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.get("/v1/models/{name}/explain", openapi_extra={"parameters": [TIMEOUT]})
async def explainable(
    name: str, request: Request, state: CurrentState, version: Version = None
) -> ExplainableOut:
    """Tell which methods, layers and classes `explain` can be asked for."""
    model = state.catalog.get(name, version)
    note_timing(request.scope, name, model.manifest.version)
    model.check_has_classes("explain")
    offer: ExplainableOut = await do(partial(methods_out, model), request, state)
    return offer


@router.post(
    "/v1/models/{name}/explain",
    openapi_extra={**FILE, "parameters": [TIMEOUT]},
    response_class=Response,
    responses={
        200: {
            "description": "The input with a glow where the model looks, the map alone as a "
            "picture or as float32 (H, W), or its figures.",
            "model": ExplanationOut,
            "content": {PNG: _BINARY, NPY: _BINARY},
        }
    },
)
async def explain(
    name: str, request: Request, state: CurrentState, query: Annotated[ExplainQuery, Query()]
) -> Response:
    """Show where in the picture or in a window of the sound the model looks for a class."""
    media_type = choose_media_type(request.headers.get("accept"), _OFFERED)
    model = state.catalog.get(name, query.version)
    note_timing(request.scope, name, model.manifest.version)
    _check(query, model)  # what is wrong here costs no upload
    state.chores.check_room()
    file = await read_one_file(request, state.body_limits)
    model = state.catalog.get(name, query.version)
    _check(query, model)  # it may be another version by now
    with model.held():
        content = await do_in_steps(explained(model, file, query, media_type), request, state)
    return Response(content, media_type=media_type, headers={"vary": "accept"})


def _check(query: ExplainQuery, model: ServedModel) -> None:
    """Raise UnknownLayer, WrongTask or InvalidParameter if that cannot be asked of the model."""
    model.check_has_classes("explain")
    manifest = model.manifest
    query.check(manifest.name, manifest.task, len(manifest.labels))
    if query.layer is not None:
        model.features.tap(query.layer)
