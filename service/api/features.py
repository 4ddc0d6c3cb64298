"""The inside of a model: its layers, and what each makes of a picture or a sound."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from numpy.typing import NDArray

from service.api.accept import choose_media_type
from service.api.body import read_files
from service.api.noted import note_timing
from service.api.npy import NPY, write_npy
from service.api.patience import TIMEOUT, do
from service.api.schemas import FeatureMapOut, LayerOut, LayersOut, SoundFeatureMapOut, TotalsOut
from service.api.state import FILE, PROBLEMS, CurrentState, Version, ref
from service.contract.errors import InvalidParameter
from service.contract.specs import AudioPreprocessing
from service.tasks.catalog import Listening, ServedModel
from service.tasks.channels import parse_channels
from service.tasks.features import FeatureMap
from service.tasks.mosaic import render_mosaic
from service.tasks.sound_mosaic import render_sound_map
from service.tasks.sound_scene import scene_of, timeline_of
from service.tasks.sound_window import SoundWindow, window_at

router = APIRouter(responses=PROBLEMS)

_PNG, _JSON = "image/png", "application/json"
# The first is what browsers and curl get, which accept anything.
_OFFERED = (_PNG, NPY, _JSON)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_LONGEST_S = 86_400
StartS = Annotated[
    float | None,
    Query(
        ge=0,
        le=_LONGEST_S,
        description="For sounds: where the window begins, in seconds; unset, at the beginning.",
    ),
]


@dataclass(frozen=True)
class _Wanted:
    """What of a layer is asked for, in which form; start_s is None unless it was given."""

    layer: str
    channels: str
    start_s: float | None
    media_type: str


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
    openapi_extra={**FILE, "parameters": [TIMEOUT]},
    response_class=Response,
    responses={
        200: {
            "description": "A picture of the channels, the float32 array (C, H, W), or figures.",
            # what has more to it stands first, since it would pass for the other as well
            "model": SoundFeatureMapOut | FeatureMapOut,
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
    start_s: StartS = None,
    version: Version = None,
) -> Response:
    """Show what a layer makes of the picture or of a window of the sound in the body.

    Accept chooses the form.
    """
    media_type = choose_media_type(request.headers.get("accept"), _OFFERED)
    wanted = _Wanted(layer, channels, start_s, media_type)
    model = state.catalog.get(name, version)
    note_timing(request.scope, name, model.manifest.version)
    _check(wanted, model)  # what is wrong here costs no upload
    state.chores.check_room()
    files = await read_files(request, state.body_limits)
    if len(files) > 1:
        one = "sound" if model.listens else "picture"
        raise InvalidParameter(f"Feature maps are made of one {one}, not of {len(files)}.")
    model = state.catalog.get(name, version)
    content: bytes = await do(partial(_look, model, files[0], wanted), request, state)
    return Response(content, media_type=media_type, headers={"vary": "accept"})


def layers_out(model: ServedModel) -> LayersOut:
    """Return the layer table as it is written out, by the server and the command line alike."""
    table, spec = model.features.layers(), model.manifest.preprocessing
    return LayersOut(
        model=ref(model),
        sample_rate_hz=spec.sample_rate_hz if isinstance(spec, AudioPreprocessing) else None,
        layers=[LayerOut.model_validate(layer, from_attributes=True) for layer in table.layers],
        totals=TotalsOut.model_validate(table.totals, from_attributes=True),
    )


def _check(wanted: _Wanted, model: ServedModel) -> None:
    """Raise UnknownLayer or InvalidParameter if that cannot be asked of the model."""
    model.features.tap(wanted.layer)
    if wanted.start_s is not None and not model.listens:
        raise InvalidParameter(
            f"start_s is for sounds: the model {model.manifest.name!r} takes pictures."
        )


def _look(model: ServedModel, file: bytes, wanted: _Wanted) -> bytes:
    _check(wanted, model)  # it may be another version by now
    if isinstance(model.answering, Listening):
        listener = model.answering.task
        window = window_at(file, wanted.start_s or 0.0, listener.spec, listener.limits)
        return _listened(model, window, listener.spec, wanted)
    found = _computed(model, model.answering.task.model_input(file), wanted)
    chosen = parse_channels(wanted.channels, len(found.values))
    if wanted.media_type == _PNG:
        return render_mosaic(found.values, chosen, title=found.tap.name)
    if wanted.media_type == NPY:
        return write_npy(found.values[list(chosen)])
    return FeatureMapOut(**_figures(model, found, chosen)).model_dump_json().encode()


def _listened(
    model: ServedModel, window: SoundWindow, spec: AudioPreprocessing, wanted: _Wanted
) -> bytes:
    """Return what the layer makes of the window, with the times of its cells."""
    found = _computed(model, window.waveform, wanted)
    chosen = parse_channels(wanted.channels, len(found.values))
    if wanted.media_type == NPY:
        return write_npy(found.values[list(chosen)])
    row = model.features.row(found.tap)
    if wanted.media_type == _PNG:
        scene = scene_of(row, window, spec)
        if scene is None:
            return render_mosaic(found.values, chosen, title=found.tap.name)
        return render_sound_map(found.values, chosen, found.tap.name, scene)
    timeline = timeline_of(row, window, spec)
    figures = SoundFeatureMapOut(
        **_figures(model, found, chosen),
        start_s=window.start / spec.sample_rate_hz,
        duration_s=spec.window_samples / spec.sample_rate_hz,
        first_cell_s=timeline.first_s if timeline else None,
        seconds_per_cell=timeline.cell_s if timeline else None,
    )
    return figures.model_dump_json().encode()


def _computed(model: ServedModel, inputs: NDArray[Any], wanted: _Wanted) -> FeatureMap:
    tap = model.features.tap(wanted.layer)
    return model.features.compute(tap.name, inputs[np.newaxis])


def _figures(model: ServedModel, found: FeatureMap, channels: tuple[int, ...]) -> dict[str, Any]:
    """Return the fields of FeatureMapOut."""
    tap = found.tap
    return {
        "model": ref(model),
        "layer": tap.name,
        "op": tap.op,
        "shape": found.values.shape,
        "stride": tap.stride,
        "receptive_field": tap.receptive_field,
        "dead_channel_share": found.dead_channel_share,
        "channels": [asdict(figures) for figures in found.statistics(channels)],
    }
