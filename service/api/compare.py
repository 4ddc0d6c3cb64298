"""POST compare: two models on one picture or sound, down to their layers."""

from functools import partial
from threading import Event
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response

from service.api.accept import choose_media_type
from service.api.body import read_one_file
from service.api.compare_schema import ComparisonOut
from service.api.noted import note_timing
from service.api.patience import TIMEOUT, do
from service.api.sound_answer import predictions_out
from service.api.start_s import StartS
from service.api.state import FILE, PROBLEMS, CurrentState
from service.contract.errors import InvalidParameter
from service.tasks.catalog import ServedModel
from service.tasks.compare.answers import Answer
from service.tasks.compare.measure import ComparedLayer, Comparison, compare, two_models
from service.tasks.compare.picture import render_comparison

router = APIRouter(responses=PROBLEMS, tags=["Reasons"])

_PNG, _JSON = "image/png", "application/json"
# The first is what browsers and curl get, which accept anything.
_OFFERED = (_PNG, _JSON)
_TOP_K = 5
Two = tuple[ServedModel, ServedModel]
Names = Annotated[
    list[str],
    Query(
        json_schema_extra={"minItems": 2, "maxItems": 2},
        description="Given twice: NAME, or NAME@VERSION for another than the highest.",
    ),
]


@router.post(
    "/v1/compare",
    openapi_extra={**FILE, "parameters": [TIMEOUT]},
    response_class=Response,
    responses={
        200: {
            "description": "The relative difference along the depth as a picture, or all figures.",
            "model": ComparisonOut,
            "content": {_PNG: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def compare_models(
    request: Request, state: CurrentState, model: Names, start_s: StartS = None
) -> Response:
    """Compare what two models of one task make of the picture or the sound in the body.

    Layers match by name, by module, or by place and shape. Of a sound, those of one window are
    compared, and the answers to all of it. Accept chooses the form.
    """
    media_type = choose_media_type(request.headers.get("accept"), _OFFERED)
    _check(two_models(state.catalog, model), start_s)  # what is wrong here costs no upload
    state.chores.check_room()
    file = await read_one_file(request, state.body_limits)
    models, gone = two_models(state.catalog, model), Event()
    _check(models, start_s)  # they may be others by now
    note_timing(request.scope, models[0].manifest.name, models[0].manifest.version)
    work = partial(_compare, models, file, start_s or 0.0, media_type, gone)
    try:
        with models[0].held(), models[1].held():
            content: bytes = await do(work, request, state)
    finally:
        gone.set()
    return Response(content, media_type=media_type, headers={"vary": "accept"})


def _check(models: Two, start_s: float | None) -> None:
    if start_s is not None and not models[0].listens:
        raise InvalidParameter("start_s is for sounds: these models take pictures.")


def _compare(models: Two, file: bytes, start_s: float, media_type: str, gone: Event) -> bytes:
    found = compare(models, file, start_s, gone)
    if media_type == _PNG:
        return render_comparison(found)
    return orjson.dumps(comparison_out(found))


def comparison_out(found: Comparison, top_k: int = _TOP_K) -> dict[str, Any]:
    """Return ComparisonOut, for the server and the command line alike."""
    return {
        "models": [
            {
                "name": model.manifest.name,
                "version": model.manifest.version,
                "execution_provider": model.execution_provider,
            }
            for model in found.models
        ],
        "answers": [_answer_out(answer, top_k) for answer in found.answers],
        **found.agreement._asdict(),
        "layers": [_layer_out(layer) for layer in found.layers],
        "unmatched": [layer._asdict() for layer in found.unmatched],
    }


def _answer_out(answer: Answer, top_k: int) -> dict[str, Any]:
    return {
        "predictions": predictions_out(answer.predictions(top_k)),
        "classes": [share._asdict() for share in answer.shares()],
    }


def _layer_out(layer: ComparedLayer) -> dict[str, Any]:
    figures = layer.difference
    return {
        "layer": layer.layer,
        "other_layer": layer.other_layer,
        "shape": layer.shape,
        "max_absolute_difference": figures.max_absolute,
        "mean_absolute_difference": figures.mean_absolute,
        "relative_difference": figures.relative,
        "cosine": figures.cosine,
    }
