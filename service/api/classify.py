"""POST classify: which classes a picture belongs to."""

from collections.abc import Sequence
from time import perf_counter
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response

from service.api.body import read_files
from service.api.lean import LeanRoute
from service.api.noted import note_timing
from service.api.patience import TIMEOUT, outcomes, timeout_s
from service.api.problems import problem_of
from service.api.request_id import request_id_of
from service.api.schemas import ClassificationOut, ClassificationResults
from service.api.state import PICTURES, PROBLEMS, State, Version, state_of
from service.api.timings import timing_of
from service.batching import Ran
from service.contract.manifest import Task
from service.contract.postprocess import Prediction
from service.tasks.catalog import ServedModel
from service.tasks.classify import Probabilities
from service.tasks.timing import Timing

router = APIRouter(route_class=LeanRoute, responses=PROBLEMS)

TASK: Task = "image-classification"
TopK = Annotated[int, Query(ge=1, description="How many classes to return, likeliest first.")]
_DESCRIBED: dict[str, Any] = {
    "openapi_extra": {**PICTURES, "parameters": [TIMEOUT]},
    "response_model": ClassificationOut | ClassificationResults,
}


@router.post("/v1/models/{name}/classify", **_DESCRIBED)
async def classify(
    name: str, request: Request, top_k: TopK = 5, version: Version = None
) -> Response:
    """Classify the picture in the body, or each of several multipart files."""
    state = state_of(request)
    _check_room(state.catalog.get(name, version), request)
    files = await read_files(request, state.body_limits)
    return await _answer(state.catalog.get(name, version), files, top_k, request, state)


@router.post("/v1/classify", **_DESCRIBED)
async def classify_by_default(request: Request, top_k: TopK = 5) -> Response:
    """Classify with the default model."""
    state = state_of(request)
    _check_room(state.catalog.default(TASK), request)
    files = await read_files(request, state.body_limits)
    return await _answer(state.catalog.default(TASK), files, top_k, request, state)


def _check_room(model: ServedModel, request: Request) -> None:
    """Refuse before the body costs anybody anything; the log and the figures know by whom."""
    note_timing(request.scope, model.manifest.name, model.manifest.version)
    model.classifying().queue.check_room()


async def _answer(
    model: ServedModel, files: list[bytes], top_k: int, request: Request, state: State
) -> Response:
    note_timing(request.scope, model.manifest.name, model.manifest.version)
    classifier, queue = model.classifying()
    ticket = queue.enqueue(files, timeout_s(request, state.request_timeout_ms))
    answers = await outcomes(request, ticket, state.condition)
    total_s = perf_counter() - ticket.submitted

    def result(ran: Ran[Probabilities]) -> dict[str, Any]:
        timing = timing_of(ran, total_s)
        state.metrics.observe_item(model, timing)
        note_timing(request.scope, model.manifest.name, model.manifest.version, timing)
        return classification_out(model, classifier.predictions(ran.output, top_k), timing)

    if len(answers) == 1:
        answer = answers[0]
        if isinstance(answer, Exception):
            raise answer
        return _respond(result(answer))
    request_id = request_id_of(request.scope)
    # whatever befell one file, the others have their answers
    results = [
        problem_of(answer, request_id).model_dump(exclude_none=True)
        if isinstance(answer, Exception)
        else result(answer)
        for answer in answers
    ]
    return _respond({"results": results})


def classification_out(
    model: ServedModel, predictions: Sequence[Prediction], timing: Timing
) -> dict[str, Any]:
    """Return the answer as it is written out, by the server and the command line alike.

    Its shape is that of ClassificationOut; validating what we made ourselves would cost more
    than all the rest of it.
    """
    return {
        "model": {"name": model.manifest.name, "version": model.manifest.version},
        "predictions": [
            {"label": label, "class_index": class_index, "probability": probability}
            for label, class_index, probability in predictions
        ],
        "timing": {
            "decode_ms": round(timing.decode_ms, 3),
            "queue_ms": round(timing.queue_ms, 3),
            "compute_ms": round(timing.compute_ms, 3),
            "total_ms": round(timing.total_ms, 3),
            "batch_size": timing.batch_size,
        },
    }


def _respond(answer: dict[str, Any]) -> Response:
    return Response(orjson.dumps(answer), media_type="application/json")
