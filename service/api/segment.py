"""POST segment: the class of every pixel of a picture, or of every moment of a sound."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from service.api.accept import choose_media_type
from service.api.body import read_files
from service.api.by_content import SEGMENT
from service.api.noted import note_timing
from service.api.npy import NPY
from service.api.patience import TIMEOUT
from service.api.pictures import Seeing
from service.api.schemas import SegmentationOut, SegmentationResults, SoundSegmentationOut
from service.api.segment_answer import JSON, PNG, writer
from service.api.segment_query import SegmentQuery
from service.api.sound_answer import spans_out
from service.api.sounds import Hearing
from service.api.state import FILES, PROBLEMS, State, state_of
from service.api.written import Result, respond
from service.contract.errors import InvalidParameter
from service.tasks.catalog import ServedModel

router = APIRouter(responses=PROBLEMS, tags=["Answers"])

# The first is what curl gets, which accepts anything.
_OF_PICTURES = (JSON, PNG, NPY)
_OF_SOUNDS = (JSON,)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_DESCRIBED: dict[str, Any] = {
    "openapi_extra": {**FILES, "parameters": [TIMEOUT]},
    "response_class": Response,
    "responses": {
        200: {
            "description": "Classes, and where in the picture or when in the sound they are; "
            "of a picture also a picture of them, or an array.",
            "model": SegmentationOut | SoundSegmentationOut | SegmentationResults,
            "content": {JSON: {}, PNG: _BINARY, NPY: _BINARY},
        }
    },
}
Asked = Annotated[SegmentQuery, Query()]


@router.post("/v1/models/{name}/segment", **_DESCRIBED)
async def segment(name: str, request: Request, query: Asked) -> Response:
    """Tell the class of every pixel of a picture, or of every moment of a sound.

    The model takes one or the other. Several multipart files are answered with as many results.
    """
    state = state_of(request)
    model = state.catalog.get(name, query.version)
    _check(model, query, request)
    query.check_kind(sounds=model.listens)
    files = await read_files(request, state.body_limits)
    model = state.catalog.get(name, query.version)
    media_type = _media_type(model, request, files)
    results = await _results(model, files, query, media_type, request, state)
    return respond(results, media_type, request)


@router.post("/v1/segment", **_DESCRIBED)
async def segment_by_default(request: Request, query: Asked) -> Response:
    """Segment each file with the default model for what it is, a picture or a sound.

    Of the query, what is for the other kind does not matter.
    """
    state = state_of(request)
    SEGMENT.check(state.catalog, partial(_check, query=query, request=request))
    files = await read_files(request, state.body_limits)
    results: dict[int, Result] = {}
    media_type = JSON
    for task, numbers in SEGMENT.shares(state.catalog, files):
        model, mine = state.catalog.default(task), [files[number] for number in numbers]
        media_type = _media_type(model, request, files)
        found = await _results(model, mine, query, media_type, request, state)
        results |= zip(numbers, found, strict=True)
    return respond([results[number] for number in range(len(files))], media_type, request)


def _check(model: ServedModel, query: SegmentQuery, request: Request) -> None:
    """Refuse before the body costs anybody anything; the log and the figures know by whom."""
    note_timing(request.scope, model.manifest.name, model.manifest.version)
    able = model.listening("segment") if model.listens else model.segmenting()
    _media_type(model, request)
    if not model.listens:
        query.wanted_class(len(model.manifest.labels))
    able.queue.check_room()


def _media_type(model: ServedModel, request: Request, files: Sequence[bytes] = ()) -> str:
    """Return what the answer is to be; raises HTTPException 406; InvalidParameter."""
    offered = _OF_SOUNDS if model.listens else _OF_PICTURES
    media_type = choose_media_type(request.headers.get("accept"), offered)
    if len(files) > 1 and media_type != JSON:
        raise InvalidParameter(f"A picture or an array is made of one file, not of {len(files)}.")
    return media_type


async def _results(
    model: ServedModel,
    files: Sequence[bytes],
    query: SegmentQuery,
    media_type: str,
    request: Request,
    state: State,
) -> list[Result]:
    """Return what the model says of each file, written out, or what befell it."""
    _check(model, query, request)
    if model.listens:
        describe = partial(spans_out, model, min_seconds=query.min_seconds)
        return await Hearing(model, model.listening("segment"), describe, request, state).results(
            files
        )
    write = writer(model, query, media_type)
    return await Seeing(model, model.segmenting(), query, write, request, state).results(files)
