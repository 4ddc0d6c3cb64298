"""POST embed: pictures and sounds as vectors, for an index or for another net."""

from collections.abc import Sequence
from functools import partial
from threading import Event, Lock
from typing import Annotated, Any

import numpy as np
import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from service.api.accept import choose_media_type
from service.api.body import read_files
from service.api.noted import note_timing
from service.api.npy import NPY, write_npy
from service.api.patience import TIMEOUT, outcomes, timeout_s
from service.api.problems import problem_of
from service.api.request_id import request_id_of
from service.api.schemas import ModelRef, Problem
from service.api.state import FILES, PROBLEMS, CurrentState, Version
from service.contract.errors import InputError, InvalidParameter, TooLarge
from service.tasks.catalog import ServedModel
from service.tasks.embed import Embedding, Pool, embed

router = APIRouter(responses=PROBLEMS, tags=["Look inside"])

_JSON = "application/json"
# The first is what curl gets, which accepts anything.
_OFFERED = (_JSON, NPY)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_MOST_BYTES = 2**26


class EmbeddingOut(BaseModel):
    """The values of a layer, as nested lists of that shape; null where one is no finite number."""

    model: ModelRef
    layer: str
    shape: tuple[int, ...]
    embedding: list[Any]


class EmbeddingResults(BaseModel):
    """One entry a file, in the order in which they were sent."""

    results: list[EmbeddingOut | Problem]


class _Room:
    """What the values of one answer may take in memory."""

    def __init__(self) -> None:
        self._left = _MOST_BYTES
        self._lock = Lock()

    def take(self, embedding: Embedding) -> None:
        """Raises: TooLarge if there is no room for it."""
        with self._lock:
            self._left -= embedding.values.nbytes
            if self._left < 0:
                raise TooLarge(
                    f"One answer holds {_MOST_BYTES:,} bytes of values at most: send fewer files, "
                    "or ask for a smaller layer or pool=mean."
                )


@router.post(
    "/v1/models/{name}/embed",
    operation_id="embed",
    openapi_extra={**FILES, "parameters": [TIMEOUT]},
    response_class=Response,
    responses={
        200: {
            "description": "The values of a layer, or the float32 array (C,) or (C, H, W); of "
            "several files one (N, ...).",
            "model": EmbeddingOut | EmbeddingResults,
            "content": {_JSON: {}, NPY: _BINARY},
        }
    },
)
async def embeddings(
    name: str,
    request: Request,
    state: CurrentState,
    layer: Annotated[
        str | None,
        Query(
            description="A layer's name; unset, what the last layer with weights reads, or of a "
            "segmenter its last coarsest map."
        ),
    ] = None,
    pool: Annotated[
        Pool,
        Query(
            description="'mean' over all places, and over all windows of a sound; 'none' for "
            "pictures only, and then the layer is by default the last one that has places."
        ),
    ] = "mean",
    version: Version = None,
) -> Response:
    """Turn pictures or sounds into vectors.

    Accept chooses the form. Several multipart files are answered with as many results, or with
    one array.
    """
    media_type = choose_media_type(request.headers.get("accept"), _OFFERED)
    model = state.catalog.get(name, version)
    note_timing(request.scope, name, model.manifest.version)
    if layer is not None:
        model.features.tap(layer)  # what is wrong here costs no upload
    state.chores.check_room()
    files = await read_files(request, state.body_limits)
    model = state.catalog.get(name, version)
    room, gone = _Room(), Event()
    work = [partial(_embed, model, file, layer, pool, room, media_type, gone) for file in files]
    ticket = state.chores.enqueue(work, timeout_s(request, state.request_timeout_ms))
    try:
        answers = await outcomes(request, ticket, state.condition)
    finally:
        gone.set()
    results = [each if isinstance(each, Exception) else each.output for each in answers]
    content = _array(results) if media_type == NPY else _json(results, request)
    return Response(content, media_type=media_type, headers={"vary": "accept"})


def _embed(
    model: ServedModel,
    file: bytes,
    layer: str | None,
    pool: Pool,
    room: _Room,
    media_type: str,
    gone: Event,
) -> np.ndarray[Any, Any] | bytes:
    """Return the array, or the JSON of EmbeddingOut."""
    found = embed(model, file, layer, pool, gone)
    room.take(found)
    if media_type == NPY:
        return found.values
    told = {
        "model": {"name": model.manifest.name, "version": model.manifest.version},
        "layer": found.layer,
        "shape": found.values.shape,
        "embedding": np.ascontiguousarray(found.values),
    }
    return orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY)


def _json(results: Sequence[Any], request: Request) -> bytes:
    """Return the result, or one for each of several files."""
    if len(results) == 1:
        if isinstance(results[0], Exception):
            raise results[0]
        return bytes(results[0])
    # whatever befell one file, the others have their answers
    request_id = request_id_of(request.scope)
    written = [
        problem_of(result, request_id).model_dump_json(exclude_none=True).encode()
        if isinstance(result, Exception)
        else result
        for result in results
    ]
    return b'{"results":[' + b",".join(written) + b"]}"


def _array(results: Sequence[Any]) -> bytes:
    """Return one array of all files, whose rows are theirs; so one that fails fails them all."""
    for number, result in enumerate(results, start=1):
        if isinstance(result, InputError) and len(results) > 1:
            raise type(result)(f"File {number} of {len(results)}: {result}")
        if isinstance(result, Exception):
            raise result
    if len(results) == 1:
        return write_npy(results[0])
    if len({result.shape for result in results}) > 1:
        raise InvalidParameter(
            "These files have maps of different sizes: ask for JSON, or for pool=mean."
        )
    return write_npy(np.stack(results))
