"""The inside of a model: its layers, and what each makes of a picture."""

from dataclasses import asdict
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.api.accept import choose_media_type
from service.api.body import read_files
from service.api.noted import note_timing
from service.api.npy import NPY, write_npy
from service.api.patience import TIMEOUT, do
from service.api.schemas import FeatureMapOut, LayerOut, LayersOut, TotalsOut
from service.api.state import PICTURE, PROBLEMS, CurrentState, Version, ref
from service.contract.errors import InvalidParameter
from service.tasks.catalog import ServedModel
from service.tasks.channels import parse_channels
from service.tasks.features import FeatureMap
from service.tasks.mosaic import render_mosaic

router = APIRouter(responses=PROBLEMS)

_PNG, _JSON = "image/png", "application/json"
# The first is what browsers and curl get, which accept anything.
_OFFERED = (_PNG, NPY, _JSON)
_BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.get("/v1/models/{name}/layers")
async def layers(
    name: str, request: Request, state: CurrentState, version: Version = None
) -> LayersOut:
    """List the layers that can be looked at, with their size, cost and receptive field."""
    model = state.catalog.get(name, version)
    note_timing(request.scope, name, model.manifest.version)
    table: LayersOut = await do(partial(layers_out, model), request, state)
    return table


@router.post(
    "/v1/models/{name}/feature-maps",
    openapi_extra={**PICTURE, "parameters": [TIMEOUT]},
    response_class=Response,
    responses={
        200: {
            "description": "A mosaic of the channels, the float32 array (C, H, W), or figures.",
            "model": FeatureMapOut,
            "content": {_PNG: _BINARY, NPY: _BINARY},
        }
    },
)
async def feature_maps(
    name: str,
    request: Request,
    state: CurrentState,
    layer: Annotated[str, Query(description="A layer's name, or the path of a module.")],
    channels: Annotated[str, Query(description="Such as '0-15,20', or 'all'.")] = "all",
    version: Version = None,
) -> Response:
    """Show what a layer makes of the picture in the body; Accept chooses the form."""
    media_type = choose_media_type(request.headers.get("accept"), _OFFERED)
    model = state.catalog.get(name, version)
    note_timing(request.scope, name, model.manifest.version)
    model.features.tap(layer)  # a wrong name costs no upload
    state.chores.check_room()
    files = await read_files(request, state.body_limits)
    if len(files) > 1:
        raise InvalidParameter(f"Feature maps are made of one picture, not of {len(files)}.")
    model = state.catalog.get(name, version)
    work = partial(_look, model, files[0], layer, channels, media_type)
    content: bytes = await do(work, request, state)
    return Response(content, media_type=media_type, headers={"vary": "accept"})


def layers_out(model: ServedModel) -> LayersOut:
    """Return the layer table as it is written out, by the server and the command line alike."""
    table = model.features.layers()
    return LayersOut(
        model=ref(model),
        layers=[LayerOut.model_validate(layer, from_attributes=True) for layer in table.layers],
        totals=TotalsOut.model_validate(table.totals, from_attributes=True),
    )


def _look(
    model: ServedModel,
    file: bytes,
    layer: str,
    channels: str,
    media_type: str,
) -> bytes:
    tap = model.features.tap(layer)
    pixels = model.answering.task.model_input(file)
    feature_map = model.features.compute(tap.name, pixels[None])
    chosen = parse_channels(channels, len(feature_map.values))
    if media_type == _PNG:
        return render_mosaic(feature_map.values, chosen, title=tap.name)
    if media_type == NPY:
        return write_npy(feature_map.values[list(chosen)])
    return _figures(model, feature_map, chosen).model_dump_json().encode()


def _figures(
    model: ServedModel, feature_map: FeatureMap, channels: tuple[int, ...]
) -> FeatureMapOut:
    tap = feature_map.tap
    return FeatureMapOut.model_validate(
        {
            "model": ref(model),
            "layer": tap.name,
            "op": tap.op,
            "shape": feature_map.values.shape,
            "stride": tap.stride,
            "receptive_field": tap.receptive_field,
            "dead_channel_share": feature_map.dead_channel_share,
            "channels": [asdict(figures) for figures in feature_map.statistics(channels)],
        }
    )
