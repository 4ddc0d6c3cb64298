"""POST feature-maps: what the layers of a model make of a picture or a sound."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.api.accept import choose_media_type
from service.api.body import read_one_file
from service.api.map_answer import JSON, PNG, look
from service.api.map_query import MapQuery
from service.api.map_schemas import AllMapsOut, FeatureMapOut, SoundFeatureMapOut
from service.api.noted import note_timing
from service.api.npy import NPY
from service.api.patience import TIMEOUT, do
from service.api.state import FILE, PROBLEMS, CurrentState

router = APIRouter(responses=PROBLEMS, tags=["Look inside"])

# The first is what browsers and curl get, which accept anything.
_OF_ONE = (PNG, NPY, JSON)
_OF_ALL = (PNG, JSON)
_BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.post(
    "/v1/models/{name}/feature-maps",
    openapi_extra={**FILE, "parameters": [TIMEOUT]},
    response_class=Response,
    responses={
        200: {
            "description": "A picture of the channels, the float32 array (C, H, W), or figures; "
            "of all layers a picture or figures, of one cell what it sees or its values (C,).",
            # what has more to it stands first, since it would pass for the other as well
            "model": SoundFeatureMapOut | FeatureMapOut | AllMapsOut,
            "content": {PNG: _BINARY, NPY: _BINARY},
        }
    },
)
async def feature_maps(
    name: str, request: Request, state: CurrentState, query: Annotated[MapQuery, Query()]
) -> Response:
    """Show what a layer makes of the picture or of a window of the sound in the body.

    Accept chooses the form. `layer=*` shows all layers, from one run.
    """
    offered = _OF_ALL if query.all_layers else _OF_ONE
    media_type = choose_media_type(request.headers.get("accept"), offered)
    model = state.catalog.get(name, query.version)
    note_timing(request.scope, name, model.manifest.version)
    query.check(model)  # what is wrong here costs no upload
    state.chores.check_room()
    file = await read_one_file(request, state.body_limits)
    model = state.catalog.get(name, query.version)
    content: bytes = await do(partial(look, model, file, query, media_type), request, state)
    return Response(content, media_type=media_type, headers={"vary": "accept"})
