"""POST classify: which classes a picture belongs to."""

import asyncio
from dataclasses import asdict
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request

from service.api.body import read_files
from service.api.problems import problem_of
from service.api.request_id import request_id_of
from service.api.schemas import ClassificationOut, ClassificationResults, Problem
from service.api.state import PICTURES, CurrentState, State, Version, ref
from service.tasks.catalog import ServedModel
from service.tasks.classify import Classification

router = APIRouter()

TopK = Annotated[int, Query(ge=1, description="How many classes to return, likeliest first.")]
Answer = ClassificationOut | ClassificationResults


@router.post("/v1/models/{name}/classify", openapi_extra=PICTURES, response_model_exclude_none=True)
async def classify(
    name: str, request: Request, state: CurrentState, top_k: TopK = 5, version: Version = None
) -> Answer:
    """Classify the picture in the body, or each of several multipart files."""
    files = await read_files(request, state.body_limits)
    return await _answer(state.catalog.get(name, version), files, top_k, request, state)


@router.post("/v1/classify", openapi_extra=PICTURES, response_model_exclude_none=True)
async def classify_by_default(request: Request, state: CurrentState, top_k: TopK = 5) -> Answer:
    """Classify with the default model."""
    files = await read_files(request, state.body_limits)
    return await _answer(state.catalog.default(), files, top_k, request, state)


async def _answer(
    model: ServedModel, files: list[bytes], top_k: int, request: Request, state: State
) -> Answer:
    if len(files) == 1:
        return await _classify(model, files[0], top_k, state)
    request_id = request_id_of(request.scope)

    async def one(file: bytes) -> ClassificationOut | Problem:
        try:
            return await _classify(model, file, top_k, state)
        except Exception as error:  # whatever befalls one file, the others have their answers
            return problem_of(error, request_id)

    return ClassificationResults(results=await asyncio.gather(*map(one, files)))


async def _classify(model: ServedModel, file: bytes, top_k: int, state: State) -> ClassificationOut:
    work = partial(model.classifier.classify, file, top_k, state.image_limits)
    answer, queue_ms = await state.workers.run(work)
    return classification_out(model, answer, queue_ms)


def classification_out(
    model: ServedModel, answer: Classification, queue_ms: float = 0.0
) -> ClassificationOut:
    """Return the answer as it is written out, by the server and the command line alike."""
    timing = asdict(answer.timing.after_waiting(queue_ms))
    return ClassificationOut.model_validate(
        {
            "model": ref(model),
            "predictions": [prediction._asdict() for prediction in answer.predictions],
            "timing": {
                name: round(value, 3) if name.endswith("_ms") else value
                for name, value in timing.items()
            },
        }
    )
