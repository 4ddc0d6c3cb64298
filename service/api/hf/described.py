"""What the OpenAPI document tells of /hf: bodies, answers and errors, with an example of each."""

from typing import Any

from pydantic import BaseModel, Field

from service.api.hf.parameters import (
    AudioClassificationParameters,
    ImageClassificationParameters,
    ImageSegmentationParameters,
)
from service.api.patience import TIMEOUT

_JSON = "application/json"
_BINARY = {"type": "string", "format": "binary"}


class HubScore(BaseModel):
    """A class and its probability in 0..1; of a sound, what `function_to_apply` made of it."""

    label: str
    score: float


class HubMask(BaseModel):
    """A class that is in the picture.

    score: mean probability of the class over its mask, in 0..1.
    """

    label: str
    score: float
    mask: str = Field(description="A PNG in base64, of the picture's size: 255 inside, 0 outside.")


class HubError(BaseModel):
    """What went wrong, as a sentence."""

    error: str


class HubInfo(BaseModel):
    """Which model answers, and for which task."""

    model_id: str
    model_version: int
    task: str
    labels: tuple[str, ...]


_PARAMETERS = (
    ImageClassificationParameters,
    AudioClassificationParameters,
    ImageSegmentationParameters,
)
_INPUT: dict[str, Any] = {
    "type": "object",
    "required": ["inputs"],
    "additionalProperties": False,
    "properties": {
        "inputs": {
            "type": "string",
            "description": "The file in base64, with or without a data: prefix.",
        },
        "parameters": {
            "anyOf": [*(kind.model_json_schema() for kind in _PARAMETERS), {"type": "null"}],
            "description": "Of the model's task.",
        },
        "options": {
            "description": "Read over: it steers Hugging Face's own servers.",
        },
    },
}
# A PNG of one pixel, so that the example can be sent as it stands.
_GRAY_PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCB2kUIOwAAAABJRU5ErkJggg=="
)
_ANSWER_EXAMPLES: dict[str, Any] = {
    "classification": {
        "summary": "Of a classifier",
        "value": [{"label": "cat", "score": 0.982}, {"label": "dog", "score": 0.011}],
    },
    "segmentation": {
        "summary": "Of a segmenter",
        "value": [{"label": "Sky", "score": 0.967, "mask": _GRAY_PIXEL}],
    },
}
_ERRORS: dict[int, tuple[str, str]] = {
    400: ("The body is empty or malformed.", "The body is empty."),
    401: (
        "A key is needed.",
        "This needs a key, sent as 'Authorization: Bearer KEY' or as 'x-api-key: KEY'.",
    ),
    404: ("There is no such model.", "There is no model 'cifar01'. Did you mean 'cifar10'?"),
    413: (
        "Over a limit on bytes, pixels or seconds.",
        "The body has 50,000,000 bytes; at most 33,554,432 bytes are accepted.",
    ),
    415: ("Not in a format that is read.", "The data is in no format that is read here."),
    422: (
        "A broken file, a parameter, or a task that Hugging Face does not have.",
        "The parameters cannot be followed: top_k: Input should be greater than or equal to 1.",
    ),
    503: ("Not now; where it is known, Retry-After tells when.", "32 files wait already."),
    504: (
        "The answer would come too late.",
        "The answer was not there within the time that the client or the server allows.",
    ),
}


def _error(what: str, example: str) -> dict[str, Any]:
    content = {_JSON: {"example": {"error": example}}}
    return {"model": HubError, "description": what, "content": content}


ERRORS: dict[int | str, dict[str, Any]] = {
    status: _error(*told) for status, told in _ERRORS.items()
}
# of questions without a body
ERRORS_OF_GET: dict[int | str, dict[str, Any]] = {
    status: ERRORS[status] for status in (401, 404, 422, 503)
}
INFO: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The model that answers.",
        "content": {
            _JSON: {
                "example": {
                    "model_id": "cifar10",
                    "model_version": 1,
                    "task": "image-classification",
                    "labels": ["airplane", "automobile", "bird"],
                }
            }
        },
    }
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Classes, or masks, likeliest or largest first.",
        "model": list[HubMask] | list[HubScore],
        "content": {_JSON: {"examples": _ANSWER_EXAMPLES}},
    }
}
BODY: dict[str, Any] = {
    "requestBody": {
        "description": "The file itself, under any content type, or JSON with it in base64.",
        "required": True,
        "content": {
            "image/*": {"schema": _BINARY},
            "audio/*": {"schema": _BINARY},
            _JSON: {
                "schema": _INPUT,
                "example": {"inputs": _GRAY_PIXEL, "parameters": {"top_k": 2}},
            },
        },
    },
    "parameters": [TIMEOUT],
}
