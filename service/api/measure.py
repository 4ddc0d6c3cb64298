"""POST measure: numbers that a model reads off a sound, such as its tempo."""

from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from service.api.accept import choose_media_type
from service.api.body import read_files
from service.api.measure_answer import MeasurementOut, MeasurementResults, measurement_out
from service.api.noted import note_timing
from service.api.patience import TIMEOUT
from service.api.sounds import Hearing
from service.api.state import FILES, PROBLEMS, Version, state_of
from service.api.written import respond

router = APIRouter(responses=PROBLEMS, tags=["Answers"])

_JSON = "application/json"
_DESCRIBED: dict[str, Any] = {
    "openapi_extra": {**FILES, "parameters": [TIMEOUT]},
    "response_model": MeasurementOut | MeasurementResults,
}


@router.post("/v1/models/{name}/measure", **_DESCRIBED)
async def measure(name: str, request: Request, version: Version = None) -> Response:
    """Measure in the sound in the body what the model measures, over its windows and in each.

    Several multipart files are answered with as many results.
    """
    state = state_of(request)
    model = state.catalog.get(name, version)
    note_timing(request.scope, name, model.manifest.version)
    choose_media_type(request.headers.get("accept"), (_JSON,))
    model.listening("measure").queue.check_room()  # refused before the body costs anybody anything
    files = await read_files(request, state.body_limits)
    model = state.catalog.get(name, version)
    describe = partial(measurement_out, model)
    hearing = Hearing(model, model.listening("measure"), describe, request, state)
    return respond(await hearing.results(files), _JSON, request)
