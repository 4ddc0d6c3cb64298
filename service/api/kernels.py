"""GET kernels: the filters of a layer, as they stand in the deployed file."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from service.api.accept import choose_media_type
from service.api.noted import note_timing
from service.api.npy import NPY, write_npy
from service.api.patience import TIMEOUT, do
from service.api.schemas import ModelRef
from service.api.state import PROBLEMS, CurrentState, Version, ref
from service.tasks.catalog import ServedModel
from service.tasks.channels import parse_channels
from service.tasks.kernel_mosaic import render_kernels
from service.tasks.kernels import kernel_figures, read_kernels

router = APIRouter(responses=PROBLEMS, tags=["Look inside"])

_PNG, _JSON = "image/png", "application/json"
# The first is what browsers and curl get, which accept anything.
_OFFERED = (_PNG, NPY, _JSON)
_BINARY = {"schema": {"type": "string", "format": "binary"}}


class KernelOut(BaseModel):
    """Figures of one filter; the norm is the square root of the sum of its squares."""

    channel: int
    minimum: float
    maximum: float
    mean: float
    norm: float


class KernelsOut(BaseModel):
    """The filters of a layer, (outputs, inputs, height, width) or (outputs, inputs, length).

    minimum, maximum: of all filters. colors: which channels of a filter read red, green and blue;
    null where they are not what it reads.
    """

    model: ModelRef
    layer: str
    op: str
    shape: tuple[int, ...]
    colors: tuple[int, int, int] | None
    minimum: float
    maximum: float
    kernels: list[KernelOut]


@router.get(
    "/v1/models/{name}/kernels",
    openapi_extra={"parameters": [TIMEOUT]},
    response_class=Response,
    responses={
        200: {
            "description": "A picture of the filters, the float32 array (O, I, H, W), or figures.",
            "model": KernelsOut,
            "content": {_PNG: _BINARY, NPY: _BINARY},
        }
    },
)
async def kernels(
    name: str,
    request: Request,
    state: CurrentState,
    layer: Annotated[
        str | None, Query(description="A layer's name; unset, the first convolution.")
    ] = None,
    channels: Annotated[str, Query(description="Such as '0-15,20', or 'all'.")] = "all",
    version: Version = None,
) -> Response:
    """Show the filters of a convolution or a linear layer; integer weights are scaled.

    Accept chooses the form.
    """
    media_type = choose_media_type(request.headers.get("accept"), _OFFERED)
    model = state.catalog.get(name, version)
    note_timing(request.scope, name, model.manifest.version)
    if layer is not None:
        model.features.tap(layer)
    work = partial(_answer, model, layer, channels, media_type)
    content: bytes = await do(work, request, state)
    return Response(content, media_type=media_type, headers={"vary": "accept"})


def _answer(model: ServedModel, layer: str | None, spec: str, media_type: str) -> bytes:
    found = read_kernels(model.features, layer, model.manifest.preprocessing)
    channels = parse_channels(spec, len(found.values))
    if media_type == _PNG:
        return render_kernels(found, channels)
    if media_type == NPY:
        return write_npy(found.values[list(channels)])
    told = KernelsOut(
        model=ref(model),
        layer=found.layer,
        op=found.op,
        shape=found.values.shape,
        colors=found.colors,
        minimum=float(found.values.min()),
        maximum=float(found.values.max()),
        kernels=[KernelOut.model_validate(one) for one in kernel_figures(found.values, channels)],
    )
    return told.model_dump_json().encode()
