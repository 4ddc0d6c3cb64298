"""POST stability: how the answer changes as the picture or the sound is moved."""

from dataclasses import dataclass
from threading import Event
from time import perf_counter
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response

from service.api.accept import choose_media_type
from service.api.body import read_one_file
from service.api.noted import note_timing
from service.api.patience import TIMEOUT, do_in_steps
from service.api.stability_schema import Asked, StabilityOut
from service.api.start_s import StartS
from service.api.state import FILE, PROBLEMS, CurrentState, Version
from service.contract.errors import InvalidParameter
from service.tasks.catalog import ServedModel
from service.tasks.reasons.weighing import Steps
from service.tasks.stability.measure import Curve, Stability, measure
from service.tasks.stability.moves import PictureMoves, Transform, not_offered
from service.tasks.stability.picture import render_stability
from service.tasks.stability.sound_moves import SoundMoves
from service.tasks.stability.subjects import subject_of

router = APIRouter(responses=PROBLEMS, tags=["Reasons"])

_PNG, _JSON = "image/png", "application/json"
# The first is what browsers and curl get, which accept anything.
_OFFERED = (_PNG, _JSON)
ClassIndex = Annotated[
    int | None, Query(ge=0, description="The class to follow; unset, the likeliest at rest.")
]


@dataclass(frozen=True)
class _Wanted:
    """What is asked for, in which form; start_s is None unless it was given."""

    transform: Asked
    class_index: int | None
    start_s: float | None
    media_type: str

    def transforms(self, model: ServedModel) -> tuple[Transform, ...]:
        """Return the transforms that are meant. Raises: InvalidParameter; WrongTask."""
        model.check_has_classes("stability")
        moves = SoundMoves if model.listens else PictureMoves
        if self.start_s is not None and not model.listens:
            raise InvalidParameter(
                f"start_s is for sounds: the model {model.manifest.name!r} takes pictures."
            )
        if self.transform == "all":
            return moves.transforms
        if self.transform not in moves.transforms:
            raise not_offered(self.transform, moves.noun, moves.transforms)
        return (self.transform,)


@router.post(
    "/v1/models/{name}/stability",
    openapi_extra={**FILE, "parameters": [TIMEOUT]},
    response_class=Response,
    responses={
        200: {
            "description": "The curves as a picture, or as figures.",
            "model": StabilityOut,
            "content": {_PNG: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def stability(
    name: str,
    request: Request,
    state: CurrentState,
    transform: Annotated[
        Asked,
        Query(
            description="Of pictures: shift, rotate, scale, deform. Of sounds: shift, gain, speed."
        ),
    ] = "all",
    class_index: ClassIndex = None,
    start_s: StartS = None,
    version: Version = None,
) -> Response:
    """Move the picture or a window of the sound in the body, and tell how the answer changes.

    It moves in pixels of the model's input; what comes in at the border is mirrored.
    Accept chooses the form.
    """
    media_type = choose_media_type(request.headers.get("accept"), _OFFERED)
    wanted = _Wanted(transform, class_index, start_s, media_type)
    model = state.catalog.get(name, version)
    note_timing(request.scope, name, model.manifest.version)
    wanted.transforms(model)  # what is wrong here costs no upload
    state.chores.check_room()
    file = await read_one_file(request, state.body_limits)
    model, gone = state.catalog.get(name, version), Event()
    try:
        with model.held():
            work = _measure(model, file, wanted, gone)
            content = await do_in_steps(work, request, state)
    finally:
        gone.set()
    return Response(content, media_type=media_type, headers={"vary": "accept"})


def _measure(model: ServedModel, file: bytes, wanted: _Wanted, gone: Event) -> Steps[bytes]:
    started = perf_counter()
    transforms = wanted.transforms(model)  # it may be another version by now
    subject = subject_of(model, file, wanted.start_s or 0.0)
    decoded = perf_counter()
    found = yield from measure(subject, transforms, wanted.class_index, gone)
    ended = perf_counter()
    manifest = model.manifest
    if wanted.media_type == _PNG:
        title = f"{manifest.name}/{manifest.version}"
        return render_stability(found, subject.moves, manifest.labels, title)
    timing = {
        "decode_ms": round((decoded - started) * 1000, 3),
        "compute_ms": round((ended - decoded) * 1000, 3),
        "total_ms": round((ended - started) * 1000, 3),
    }
    return orjson.dumps({**stability_out(model, found), "timing": timing})


def stability_out(model: ServedModel, found: Stability) -> dict[str, Any]:
    """Return StabilityOut but for its timing."""
    labels = model.manifest.labels
    return {
        "model": {"name": model.manifest.name, "version": model.manifest.version},
        "class_index": found.class_index,
        "label": labels[found.class_index],
        "probability": found.probability,
        "curves": [_curve_out(curve, labels) for curve in found.curves],
        "runs": found.runs,
    }


def _curve_out(curve: Curve, labels: tuple[str, ...]) -> dict[str, Any]:
    return {
        "transform": curve.sweep.transform,
        "variant": curve.sweep.variant,
        "unit": curve.sweep.unit,
        "consistency": curve.consistency,
        "points": [
            {"amount": amount, **said._asdict(), "label": labels[said.class_index]}
            for amount, said in zip(curve.sweep.amounts, curve.said, strict=True)
        ],
    }
