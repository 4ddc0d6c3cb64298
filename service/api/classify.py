"""POST classify: which classes a picture or a sound belongs to."""

from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response

from service.api.body import read_files
from service.api.by_content import CLASSIFY
from service.api.lean import LeanRoute
from service.api.noted import note_timing
from service.api.patience import TIMEOUT, outcomes, timeout_s
from service.api.problems import problem_of
from service.api.request_id import request_id_of
from service.api.schemas import ClassificationOut, ClassificationResults, SoundClassificationOut
from service.api.sound_answer import predictions_out, sound_classes_out
from service.api.sounds import Hearing
from service.api.state import FILES, PROBLEMS, State, Version, state_of
from service.api.timings import timing_of, timing_out
from service.contract.postprocess import Prediction
from service.tasks.catalog import ServedModel
from service.tasks.classify import Probabilities
from service.tasks.timing import Timing
from service.ticket import Ran

router = APIRouter(route_class=LeanRoute, responses=PROBLEMS, tags=["Answers"])

TopK = Annotated[int, Query(ge=1, description="How many classes to return, likeliest first.")]
_DESCRIBED: dict[str, Any] = {
    "openapi_extra": {**FILES, "parameters": [TIMEOUT]},
    # what has more to it stands first, since it would pass for the other as well
    "response_model": SoundClassificationOut | ClassificationOut | ClassificationResults,
}
# An answer, ready to be written out or written already, or what befell the file.
Result = dict[str, Any] | orjson.Fragment | Exception


@router.post("/v1/models/{name}/classify", **_DESCRIBED)
async def classify(
    name: str, request: Request, top_k: TopK = 5, version: Version = None
) -> Response:
    """Classify the picture or sound in the body, or each of several multipart files.

    The model takes one or the other; of a sound each part is classified too.
    """
    state = state_of(request)
    _check_room(state.catalog.get(name, version), request)
    files = await read_files(request, state.body_limits)
    model = state.catalog.get(name, version)
    return _respond(await results_of(model, files, top_k, request, state), request)


@router.post("/v1/classify", **_DESCRIBED)
async def classify_by_default(request: Request, top_k: TopK = 5) -> Response:
    """Classify each file with the default model for what it is, a picture or a sound."""
    state = state_of(request)
    CLASSIFY.check(state.catalog, partial(_check_room, request=request))
    files = await read_files(request, state.body_limits)
    results: dict[int, Result] = {}
    for task, numbers in CLASSIFY.shares(state.catalog, files):
        model, mine = state.catalog.default(task), [files[number] for number in numbers]
        found = await results_of(model, mine, top_k, request, state)
        results |= zip(numbers, found, strict=True)
    return _respond([results[number] for number in range(len(files))], request)


def _check_room(model: ServedModel, request: Request) -> None:
    """Refuse before the body costs anybody anything; the log and the figures know by whom."""
    note_timing(request.scope, model.manifest.name, model.manifest.version)
    able = model.listening("classify") if model.listens else model.classifying()
    able.queue.check_room()


async def results_of(
    model: ServedModel, files: Sequence[bytes], top_k: int, request: Request, state: State
) -> list[Result]:
    """Return what the model says of each file, or what befell it."""
    note_timing(request.scope, model.manifest.name, model.manifest.version)
    if model.listens:
        describe = partial(sound_classes_out, model, top_k=top_k)
        hearing = Hearing(model, model.listening("classify"), describe, request, state)
        return [
            heard if isinstance(heard, Exception) else orjson.Fragment(heard)
            for heard in await hearing.results(files)
        ]
    classifier, queue, _ = model.classifying()
    ticket = queue.enqueue(files, timeout_s(request, state.request_timeout_ms))
    answers = await outcomes(request, ticket, state.condition)
    total_s = perf_counter() - ticket.submitted

    def result(ran: Ran[Probabilities]) -> dict[str, Any]:
        timing = timing_of(ran, total_s)
        state.metrics.observe_item(model, timing)
        note_timing(request.scope, model.manifest.name, model.manifest.version, timing)
        return classification_out(model, classifier.predictions(ran.output, top_k), timing)

    return [answer if isinstance(answer, Exception) else result(answer) for answer in answers]


def classification_out(
    model: ServedModel, predictions: Sequence[Prediction], timing: Timing
) -> dict[str, Any]:
    """Return the answer as it is written out, by the server and the command line alike.

    Its shape is that of ClassificationOut; validating what we made ourselves would cost more
    than all the rest of it.
    """
    return {
        "model": {"name": model.manifest.name, "version": model.manifest.version},
        "predictions": predictions_out(predictions),
        "timing": timing_out(timing),
    }


def _respond(results: Sequence[Result], request: Request) -> Response:
    """Answer with the result, or with one for each of several files."""
    if len(results) == 1:
        if isinstance(results[0], Exception):
            raise results[0]
        return _json(results[0])
    request_id = request_id_of(request.scope)
    # whatever befell one file, the others have their answers
    told = [
        problem_of(result, request_id).model_dump(exclude_none=True)
        if isinstance(result, Exception)
        else result
        for result in results
    ]
    return _json({"results": told})


def _json(answer: Any) -> Response:
    return Response(orjson.dumps(answer), media_type="application/json")
