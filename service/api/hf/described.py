"""What the OpenAPI document tells of /hf: its bodies and answers."""

from typing import Any

from pydantic import BaseModel, Field

from service.api.hf.parameters import (
    AudioClassificationParameters,
    ImageClassificationParameters,
    ImageSegmentationParameters,
)
from service.api.patience import TIMEOUT
from service.api.state import RAW

_JSON = "application/json"


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
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Classes, or masks, likeliest or largest first.",
        "model": list[HubMask] | list[HubScore],
    }
}
BODY: dict[str, Any] = {
    "requestBody": {
        "description": "The file itself, under any content type, or JSON with it in base64.",
        "required": True,
        "content": {
            **RAW,
            _JSON: {
                "schema": _INPUT,
                "example": {"inputs": _GRAY_PIXEL, "parameters": {"top_k": 2}},
            },
        },
    },
    "parameters": [TIMEOUT],
}
