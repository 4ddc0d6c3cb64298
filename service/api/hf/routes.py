"""The task URL of Hugging Face: POST /hf/{name}, and what its clients ask beside it."""

from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from service.api.body import read_one_file
from service.api.hf.answers import answer_of
from service.api.hf.body import Sent, is_json, read_sent
from service.api.hf.described import ANSWERS, BODY, HubInfo
from service.api.lean import LeanRoute
from service.api.noted import note_timing
from service.api.patience import do
from service.api.state import PROBLEMS, State, Version, state_of
from service.tasks.catalog import ServedModel

router = APIRouter(route_class=LeanRoute, responses=PROBLEMS, tags=["Hugging Face"])

_HEALTHY: dict[int | str, dict[str, Any]] = {200: {"description": "It is ready."}}
# Reading more JSON than this takes a millisecond, in which nobody else would be answered.
_AT_ONCE_BYTES = 2**20


@router.post("/hf/{name}", openapi_extra=BODY, response_class=Response, responses=ANSWERS)
async def answer_hub(name: str, request: Request, version: Version = None) -> Response:
    """Do the model's task for a client of Hugging Face, such as `InferenceClient`.

    The body is the file itself, or JSON with the file in base64 and parameters.
    """
    state = state_of(request)
    _check(state.catalog.get(name, version), request)
    sent = await _read(request, state)
    model = state.catalog.get(name, version)
    answer = answer_of(model)  # it may be another version by now
    content = await answer(model, sent.file, sent.parameters, request, state)
    return Response(content, media_type="application/json")


@router.get("/hf/{name}/health", response_class=Response, responses=_HEALTHY)
async def hub_health(name: str, request: Request, version: Version = None) -> Response:
    """Tell whether the model is ready, as `InferenceClient.health_check` asks."""
    state_of(request).catalog.get(name, version)
    return Response()


@router.get("/hf/{name}/info", response_model=HubInfo)
async def hub_info(name: str, request: Request, version: Version = None) -> Response:
    """Tell which model answers, as `InferenceClient.get_endpoint_info` asks."""
    manifest = state_of(request).catalog.get(name, version).manifest
    info = HubInfo(
        model_id=manifest.name,
        model_version=manifest.version,
        task=manifest.task,
        labels=manifest.labels,
    )
    return Response(info.model_dump_json(), media_type="application/json")


def _check(model: ServedModel, request: Request) -> None:
    """Refuse before the body costs anybody anything; the log and the figures know by whom."""
    note_timing(request.scope, model.manifest.name, model.manifest.version)
    answer_of(model)
    model.queue.check_room()


async def _read(request: Request, state: State) -> Sent:
    body = await read_one_file(request, state.body_limits)
    if len(body) <= _AT_ONCE_BYTES or not is_json(body):
        return read_sent(body)
    sent: Sent = await do(partial(read_sent, body), request, state)
    return sent
