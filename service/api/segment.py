"""POST segment: the class of every pixel of a picture."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from service.api.accept import choose_media_type
from service.api.body import read_files
from service.api.noted import note_timing
from service.api.npy import NPY
from service.api.patience import TIMEOUT, finish, outcomes, timeout_s
from service.api.problems import problem_of
from service.api.request_id import request_id_of
from service.api.schemas import SegmentationOut, SegmentationResults
from service.api.segment_answer import JSON, PNG, Written, write_array, write_json, write_picture
from service.api.segment_query import SegmentQuery
from service.api.state import PICTURES, PROBLEMS, State, state_of
from service.api.timings import timing_of
from service.batching import Ran, Ticket
from service.contract.errors import InvalidParameter
from service.contract.manifest import Task
from service.tasks.catalog import ServedModel
from service.tasks.segment import Question, Segmented
from service.tasks.timing import Timing

router = APIRouter(responses=PROBLEMS)

TASK: Task = "image-segmentation"
# The first is what curl gets, which accepts anything.
_OFFERED = (JSON, PNG, NPY)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_DESCRIBED: dict[str, Any] = {
    "openapi_extra": {**PICTURES, "parameters": [TIMEOUT]},
    "response_class": Response,
    "responses": {
        200: {
            "description": "Classes and where they are, a picture of them, or an array.",
            "model": SegmentationOut | SegmentationResults,
            "content": {PNG: _BINARY, NPY: _BINARY},
        }
    },
}
Asked = Annotated[SegmentQuery, Query()]
Answer = Ran[Segmented] | Exception
Answers = list[Answer]


@router.post("/v1/models/{name}/segment", **_DESCRIBED)
async def segment(name: str, request: Request, query: Asked) -> Response:
    """Tell the class of every pixel of the picture, or of each of several multipart files."""
    return await _segment(name, request, query)


@router.post("/v1/segment", **_DESCRIBED)
async def segment_by_default(request: Request, query: Asked) -> Response:
    """Segment with the default model."""
    return await _segment(None, request, query)


async def _segment(name: str | None, request: Request, query: SegmentQuery) -> Response:
    state = state_of(request)
    media_type = choose_media_type(request.headers.get("accept"), _OFFERED)
    _check(_model(name, query, state), query, request)
    files = await read_files(request, state.body_limits)
    if len(files) > 1 and media_type != JSON:
        raise InvalidParameter(f"A picture or an array is made of one file, not of {len(files)}.")
    exchange = _Exchange(_check(_model(name, query, state), query, request), query, request, state)
    async with exchange.asked(files) as (ticket, answers):
        if media_type != JSON:
            content = await exchange.shown(files[0], answers[0], media_type)
        elif len(files) == 1:
            content = await exchange.told(ticket, answers[0])
        else:
            content = await exchange.all_told(ticket, answers)
    return Response(content, media_type=media_type, headers={"vary": "accept"})


def _model(name: str | None, query: SegmentQuery, state: State) -> ServedModel:
    catalog = state.catalog
    return catalog.default(TASK) if name is None else catalog.get(name, query.version)


def _check(model: ServedModel, query: SegmentQuery, request: Request) -> ServedModel:
    """Refuse before the body costs anybody anything; the log and the figures know by whom."""
    note_timing(request.scope, model.manifest.name, model.manifest.version)
    model.segmenting().queue.check_room()
    query.wanted_class(len(model.manifest.labels))
    return model


@dataclass(frozen=True)
class _Exchange:
    """One request and the model that answers it."""

    model: ServedModel
    query: SegmentQuery
    request: Request
    state: State

    @asynccontextmanager
    async def asked(self, files: list[bytes]) -> AsyncIterator[tuple[Ticket[Segmented], Answers]]:
        """Give what the model says of the files; a large one is given up when this is left."""
        gone, query = Event(), self.query
        wanted = query.wanted_class(len(self.model.manifest.labels))
        questions = [
            Question(file, query.tile_px, query.resolution, wanted, gone) for file in files
        ]
        limit_s = timeout_s(self.request, self.state.request_timeout_ms)
        try:
            ticket = self.model.segmenting().queue.enqueue(questions, limit_s)
            yield ticket, await outcomes(self.request, ticket, self.state.condition)
        finally:
            gone.set()

    async def told(self, ticket: Ticket[Segmented], answer: Answer) -> bytes:
        """Return the JSON of one file, or raise what befell it."""
        if isinstance(answer, Exception):
            raise answer
        segmented, timing = answer.output, _timing(answer)
        work = partial(write_json, self.model, segmented, self.query, timing, ticket.submitted)
        written: Written = await finish(work, self.request, self.state)
        self._note(written.timing)
        return written.content

    async def all_told(self, ticket: Ticket[Segmented], answers: Answers) -> bytes:
        """Return the JSON of all files: whatever befell one, the others have their answers."""
        results = []
        for answer in answers:
            try:
                results.append(await self.told(ticket, answer))
            except Exception as error:
                problem = problem_of(error, request_id_of(self.request.scope))
                results.append(problem.model_dump_json(exclude_none=True).encode())
        return b'{"results":[' + b",".join(results) + b"]}"

    async def shown(self, file: bytes, answer: Answer, media_type: str) -> bytes:
        """Return a picture or an array, or raise what befell the file."""
        if isinstance(answer, Exception):
            raise answer
        work = (
            partial(write_picture, self.model, file, answer.output, self.query)
            if media_type == PNG
            else partial(write_array, self.model, answer.output, self.query)
        )
        content: bytes = await finish(work, self.request, self.state)
        self._note(_timing(answer))
        return content

    def _note(self, timing: Timing) -> None:
        manifest = self.model.manifest
        self.state.metrics.observe_item(self.model, timing)
        note_timing(self.request.scope, manifest.name, manifest.version, timing)


def _timing(answer: Ran[Segmented]) -> Timing:
    """Return where the time went; decoding a large picture is part of its run."""
    late_s = answer.output.decode_s
    moved = answer._replace(prepared=answer.prepared + late_s, ran=answer.ran - late_s)
    return timing_of(moved, moved.waited + moved.prepared + moved.ran)
