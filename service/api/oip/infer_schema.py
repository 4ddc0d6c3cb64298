"""How inference is described; what is read and written is in `wire` and `answer`."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from service.api.oip.wire import HEADER_LENGTH
from service.api.patience import TIMEOUT

_Parameters = dict[str, bool | int | str]
# Flat or nested.
_Data = list[Any]


class InferInputIn(BaseModel):
    """A tensor: its values in `data`, or `binary_data_size` bytes of it behind the JSON.

    datatype: that of the graph; or BYTES, whose elements are pictures or sounds as files.
    """

    name: str
    shape: list[Annotated[int, Field(ge=0)]]
    datatype: str
    data: _Data | None = None
    parameters: _Parameters = {}


class InferOutputIn(BaseModel):
    """An output that is wanted. parameters: `binary_data`, and `classification` for the likeliest
    classes instead of all values.
    """

    name: str
    parameters: _Parameters = {}


class InferOutputOut(BaseModel):
    """A tensor: its values in a flat list, or the size of what is behind the JSON."""

    name: str
    datatype: str
    shape: list[int]
    data: _Data | None = None
    parameters: _Parameters | None = None


class InferResponseOut(BaseModel):
    """The wanted outputs, in the order in which they were asked for."""

    model_name: str
    model_version: str
    outputs: list[InferOutputOut]
    id: str | None = None


_BINARY = {"schema": {"type": "string", "format": "binary"}}
_LENGTH = {
    "description": "Bytes of the JSON, which the tensors follow; 0 if the body is a file.",
    "schema": {"type": "integer", "examples": [112]},
}


# Put together here, because a schema inside of an operation can refer to no other.
_REQUEST = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string", "description": "Is sent back."},
        "inputs": {"type": "array", "minItems": 1, "items": InferInputIn.model_json_schema()},
        "outputs": {
            "type": "array",
            "items": InferOutputIn.model_json_schema(),
            "description": "Unset, all.",
        },
        "parameters": {
            "type": "object",
            "description": "`binary_data_output`, and `timeout` in microseconds.",
        },
    },
}

DESCRIBED: dict[str, Any] = {
    "response_model": InferResponseOut,
    "responses": {
        200: {
            "description": "Tensors, as JSON or as bytes behind it.",
            "headers": {HEADER_LENGTH: _LENGTH},
            "content": {
                "application/json": {},
                "application/octet-stream": _BINARY,
            },
        },
    },
    "openapi_extra": {
        "parameters": [
            TIMEOUT,
            {"name": HEADER_LENGTH, "in": "header", "required": False, **_LENGTH},
        ],
        "requestBody": {
            "description": "Tensors of the graph's own datatype, or files as `BYTES`.",
            "required": True,
            "content": {
                "application/json": {"schema": _REQUEST},
                "application/octet-stream": _BINARY,
            },
        },
    },
}
