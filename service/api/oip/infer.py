"""POST infer of the Open Inference Protocol: tensors, or files that become them, to tensors."""

import math
from functools import partial
from time import perf_counter
from typing import Any

from fastapi import APIRouter, Request, Response

from service.api.lean import LeanRoute
from service.api.noted import note_timing
from service.api.oip.answer import Answer, write_answer
from service.api.oip.asked import Version, find
from service.api.oip.coding import coding_of, read_decoded
from service.api.oip.infer_schema import DESCRIBED
from service.api.oip.question import Question, read_question
from service.api.oip.wire import HEADER_LENGTH, json_length
from service.api.patience import do, finish, outcomes, timeout_s
from service.api.state import State, state_of
from service.api.timings import timing_of
from service.tasks.catalog import ServedModel
from service.ticket import Ran

router = APIRouter(route_class=LeanRoute, tags=["Open Inference Protocol"])

# What is read or written at once, while others wait: about a millisecond's worth.
_SHORT_JSON_BYTES = 32 * 1024
_SHORT_ANSWER_BYTES = 64 * 1024


@router.post("/v2/models/{name}/infer", **DESCRIBED)
async def infer(name: str, request: Request) -> Response:
    """Run the highest version of the model that is ready."""
    return await _infer(name, None, request)


@router.post("/v2/models/{name}/versions/{version}/infer", **DESCRIBED)
async def infer_version(name: str, version: Version, request: Request) -> Response:
    """Run that version of the model."""
    return await _infer(name, version, request)


async def _infer(name: str, version: str | None, request: Request) -> Response:
    state = state_of(request)
    _model(state, name, version, request).queue.check_room()
    body = await read_decoded(request, state)
    json_bytes = json_length(request.headers.get(HEADER_LENGTH), len(body))
    model = _model(state, name, version, request)
    read = partial(read_question, model, body, json_bytes, state.body_limits.max_files)
    question: Question
    question = read() if json_bytes <= _SHORT_JSON_BYTES else await do(read, request, state)
    del body, read  # what of it is needed, the question holds
    return await _answer(model, question, request, state)


def _model(state: State, name: str, version: str | None, request: Request) -> ServedModel:
    """Return the model; the log and the figures know who answers."""
    model = find(state.catalog, name, version)
    note_timing(request.scope, model.manifest.name, model.manifest.version)
    return model


async def _answer(
    model: ServedModel, question: Question, request: Request, state: State
) -> Response:
    limit_s = min(timeout_s(request, state.request_timeout_ms), question.timeout_s or math.inf)
    try:
        ticket = model.queue.enqueue(question.items, limit_s, question.weights)
        answers = await outcomes(request, ticket, state.condition)
    finally:
        if question.gone:
            question.gone.set()
    ran: list[Ran[Any]] = []
    for answer in answers:  # of one request all or none is answered
        if isinstance(answer, Exception):
            raise answer
        ran.append(answer)
    _observe(model, ran, perf_counter() - ticket.submitted, request, state)
    return await _respond(model, question, [answer.output for answer in ran], request, state)


def _observe(
    model: ServedModel, ran: list[Ran[Any]], total_s: float, request: Request, state: State
) -> None:
    for answer in ran:
        timing = timing_of(answer, total_s, model.tensors.decode_s(answer.output))
        state.metrics.observe_item(model, timing)
        note_timing(request.scope, model.manifest.name, model.manifest.version, timing)
        seconds = model.tensors.sound_s(answer.output)
        if seconds is not None:
            state.metrics.observe_sound(model, seconds)


async def _respond(
    model: ServedModel, question: Question, outputs: list[Any], request: Request, state: State
) -> Response:
    coding = coding_of(request.headers.get("accept-encoding"))

    def write() -> Answer:
        return write_answer(model, question, model.tensors.outputs_of(outputs), coding)

    if model.listens or _bytes_of(outputs) > _SHORT_ANSWER_BYTES:
        answer = await finish(write, request, state)
    else:
        answer = write()
    headers = {"vary": "accept-encoding"}
    if coding:
        headers["content-encoding"] = coding
    if answer.json_bytes is None:
        return Response(answer.content, headers=headers, media_type="application/json")
    headers[HEADER_LENGTH] = str(answer.json_bytes)
    return Response(answer.content, headers=headers, media_type="application/octet-stream")


def _bytes_of(outputs: list[Any]) -> int:
    return sum(array.nbytes for arrays in outputs for array in arrays)
