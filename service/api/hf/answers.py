"""Answers as the clients of Hugging Face read them, one task each."""

import base64
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import orjson
from fastapi import Request

from service.api.classify import results_of
from service.api.hf.parameters import (
    AudioClassificationParameters,
    Function,
    ImageClassificationParameters,
    ImageSegmentationParameters,
    read_parameters,
)
from service.api.pictures import Seeing
from service.api.segment_answer import Written
from service.api.segment_query import SegmentQuery
from service.api.sounds import Hearing
from service.api.state import State
from service.codecs.image import encode_png
from service.contract.errors import WrongTask
from service.contract.manifest import Task
from service.contract.postprocess import top_predictions
from service.tasks.catalog import ServedModel
from service.tasks.listen import Heard
from service.tasks.scored import scored_masks
from service.tasks.segment import Segmented
from service.tasks.timing import Timing
from service.tasks.verdict import Verdict

_AS_TRAINED = SegmentQuery.model_validate({})
# A model, a file, the parameters as they were told, and the request: the JSON of the answer.
Answer = Callable[[ServedModel, bytes, dict[str, Any], Request, State], Awaitable[bytes]]


def answer_of(model: ServedModel) -> Answer:
    """Return what answers for the model; raises WrongTask if Hugging Face has no such task."""
    answer = _ANSWERS.get(model.manifest.task)
    if answer is None:
        name, task = model.manifest.name, model.manifest.task
        raise WrongTask(
            f"The model {name!r} does {task}, for which clients of Hugging Face have no task; "
            f"POST /v1/models/{name}/{model.verb} answers."
        )
    return answer


async def _classes_of_picture(
    model: ServedModel, file: bytes, told: dict[str, Any], request: Request, state: State
) -> bytes:
    asked = read_parameters(ImageClassificationParameters, told)
    asked.check()
    (result,) = await results_of(model, [file], asked.top_k, request, state)
    if isinstance(result, Exception):
        raise result
    assert isinstance(result, dict)  # of pictures; it is written out here
    predictions = result["predictions"]
    return orjson.dumps([{"label": p["label"], "score": p["probability"]} for p in predictions])


async def _classes_of_sound(
    model: ServedModel, file: bytes, told: dict[str, Any], request: Request, state: State
) -> bytes:
    asked = read_parameters(AudioClassificationParameters, told)
    describe = partial(_describe_sound, model, asked)
    listening = model.listening("classify")
    return _only(await Hearing(model, listening, describe, request, state, _write).results([file]))


def _describe_sound(
    model: ServedModel, asked: AudioClassificationParameters, heard: Heard
) -> list[dict[str, Any]]:
    verdict = Verdict(heard, model.listening("classify").task.spec)
    scores = _applied(asked.function_to_apply, verdict)
    return [
        {"label": label, "score": score}
        for label, _, score in top_predictions(scores, model.manifest.labels, asked.top_k)
    ]


def _applied(function: Function, verdict: Verdict) -> np.ndarray[Any, np.dtype[np.float64]]:
    if function == "softmax":
        return verdict.whole()
    logits = verdict.logits()
    # the hyperbolic tangent, because exp would overflow
    return logits if function == "none" else (np.tanh(logits / 2) + 1) / 2


def _write(described: Any, _: Timing) -> bytes:
    return orjson.dumps(described)


async def _masks(
    model: ServedModel, file: bytes, told: dict[str, Any], request: Request, state: State
) -> bytes:
    asked = read_parameters(ImageSegmentationParameters, told)
    asked.check()
    write = partial(_write_masks, model, asked)
    segmenting = model.segmenting()
    seeing = Seeing(model, segmenting, _AS_TRAINED, write, request, state, certainty=True)
    return _only(await seeing.results([file]))


def _write_masks(
    model: ServedModel,
    asked: ImageSegmentationParameters,
    _: bytes,
    segmented: Segmented,
    timing: Timing,
    started: float,
) -> Written:
    labels = model.manifest.labels
    masks = scored_masks(segmented, len(labels), asked.mask_threshold, asked.threshold)
    answer = [
        {
            "label": labels[found.class_index],
            "score": found.score,
            "mask": base64.b64encode(encode_png(found.inside.astype(np.uint8) * 255)).decode(),
        }
        for found in masks
    ]
    content = orjson.dumps(answer)
    return Written(content, replace(timing, total_ms=(perf_counter() - started) * 1000))


def _only(results: list[bytes | Exception]) -> bytes:
    (result,) = results
    if isinstance(result, Exception):
        raise result
    return result


_ANSWERS: dict[Task, Answer] = {
    "image-classification": _classes_of_picture,
    "image-segmentation": _masks,
    "audio-classification": _classes_of_sound,
}
