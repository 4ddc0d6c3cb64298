"""A request for inference as it is on the wire: JSON, and bytes of tensors behind it.

Source: the Open Inference Protocol, version 2, and Triton's extensions for binary tensor data,
classification and schedule policy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from service.api.oip.tensor import DATATYPES, FP16, SentTensor
from service.contract.errors import InputError, InvalidParameter, TooLarge

# How long the JSON before the bytes is.
HEADER_LENGTH = "inference-header-content-length"
# As Python objects numbers take up to twenty times their text.
MOST_JSON_BYTES = 8 * 1024**2
_MOST_AXES = 8
_LARGEST_SIZE = 2**31 - 1

Json = dict[str, Any]


@dataclass(frozen=True)
class WantedOutput:
    """An output that was asked for. classes: how many of the likeliest, instead of all values."""

    name: str
    binary: bool
    classes: int | None = None


@dataclass(frozen=True)
class InferRequest:
    """What was asked for.

    id: to be sent back. outputs: None for all. binary: whether outputs come as bytes where they
        do not say themselves. timeout_s: after which the answer is of no use.
    """

    id: str | None
    inputs: tuple[SentTensor, ...]
    outputs: tuple[WantedOutput, ...] | None
    binary: bool
    timeout_s: float | None


def json_length(header: str | None, body_bytes: int) -> int:
    """Return how many bytes of the body are JSON, by the header that tells.

    Raises: InputError if it cannot be; TooLarge.
    """
    length = body_bytes
    if header is not None:
        if not (header.isascii() and header.isdigit() and len(header) < 19):
            raise InputError(f"{HEADER_LENGTH} must be a number of bytes.")
        length = int(header)
        if length > body_bytes:
            raise InputError(
                f"{HEADER_LENGTH} says {length:,}, but the body has {body_bytes:,} bytes."
            )
    if length > MOST_JSON_BYTES:
        raise TooLarge(
            f"The JSON has {length:,} bytes; at most {MOST_JSON_BYTES:,} are accepted. "
            "Send tensors as binary data, which take less."
        )
    return length


def read_request(body: bytes, json_bytes: int) -> InferRequest:
    """Return the request in the body, of which so many bytes are JSON and the rest tensors.

    Raises: InputError if it is not as the protocol has it; InvalidParameter if it asks for what
        is not offered.
    """
    view = memoryview(body)
    try:
        asked = orjson.loads(view[:json_bytes])
    except orjson.JSONDecodeError as error:
        raise InputError(f"The JSON of the request cannot be read: {error}.") from None
    if not isinstance(asked, dict):
        raise InputError('The JSON of the request must be an object with "inputs".')
    parameters = _parameters(asked, "The request")
    _check_schedule(parameters)
    binary = _flag(parameters, "binary_data_output", False, "The request")
    return InferRequest(
        id=_optional_text(asked, "id"),
        inputs=_inputs(asked, view[json_bytes:]),
        outputs=_outputs(asked, binary),
        binary=binary,
        timeout_s=_timeout_s(parameters),
    )


def _inputs(asked: Json, binary: memoryview) -> tuple[SentTensor, ...]:
    found, place = [], 0
    for described in _objects(asked, "inputs"):
        name = _text(described, "name", "An input")
        tensor, place = _input(name, described, binary, place)
        found.append(tensor)
    if place < len(binary):
        raise InputError(f"{len(binary) - place:,} bytes follow the JSON that belong to no input.")
    if not found:
        raise InputError('The request must have "inputs".')
    return tuple(found)


def _input(name: str, described: Json, binary: memoryview, place: int) -> tuple[SentTensor, int]:
    """Return the input, and where in the bytes the next one begins."""
    who = f"The input {name[:200]!r}"
    datatype = _text(described, "datatype", who)
    if datatype not in DATATYPES:
        known = ", ".join(DATATYPES)
        raise InputError(f"{who} has the datatype {datatype[:40]!r}; there are {known}.")
    shape = _shape(described, who)
    parameters = _parameters(described, who)
    _refuse_shared_memory(parameters, who)
    base64 = parameters.get("content_type") == "base64"
    size, data = parameters.get("binary_data_size"), described.get("data")
    if (size is None) == (data is None):
        has = 'neither "data" nor' if size is None else 'both "data" and'
        raise InputError(f'{who} has {has} "binary_data_size"; it needs one of them.')
    if size is None:
        if not isinstance(data, list):
            raise InputError(f'{who} must have a list as "data".')
        if datatype == FP16:
            raise InputError(f"{who} of FP16 cannot come in JSON: send it as binary data.")
        return SentTensor(name, datatype, shape, data, base64), place
    if not _is_count(size):
        raise InputError(f"{who} must have a number of bytes as binary_data_size.")
    if place + size > len(binary):
        left = len(binary) - place
        raise InputError(f"{who} has {size} as binary_data_size; {left:,} bytes are left for it.")
    return SentTensor(name, datatype, shape, binary[place : place + size]), place + size


def _shape(described: Json, who: str) -> tuple[int, ...]:
    shape = described.get("shape")
    if (
        not isinstance(shape, list)
        or not 1 <= len(shape) <= _MOST_AXES
        or not all(_is_count(size) and size <= _LARGEST_SIZE for size in shape)
    ):
        raise InputError(f'{who} must have 1 to {_MOST_AXES} whole numbers from 0 on as "shape".')
    return tuple(shape)


def _outputs(asked: Json, binary: bool) -> tuple[WantedOutput, ...] | None:
    if not asked.get("outputs"):
        return None
    found = []
    for described in _objects(asked, "outputs"):
        name = _text(described, "name", "An output")
        who = f"The output {name[:200]!r}"
        parameters = _parameters(described, who)
        _refuse_shared_memory(parameters, who)
        classes = parameters.get("classification")
        if classes is not None and not (_is_count(classes) and classes):
            raise InvalidParameter(f"{who} must have a number from 1 on as classification.")
        as_bytes = _flag(parameters, "binary_data", binary, who)
        found.append(WantedOutput(name, as_bytes, classes))
    return tuple(found)


def _check_schedule(parameters: Json) -> None:
    """Look at what is for servers that schedule: nothing here depends on it.

    Every request is answered for itself and in its turn, as Triton does with models that have no
    sequences and no priorities.
    """
    priority = parameters.get("priority", 0)
    if not _is_count(priority):
        raise InvalidParameter("The request must have a number from 0 on as priority.")
    sequence = parameters.get("sequence_id", 0)
    if not (_is_count(sequence) or isinstance(sequence, str)):
        raise InvalidParameter("The request must have a number or a text as sequence_id.")
    for edge in ("sequence_start", "sequence_end"):
        _flag(parameters, edge, False, "The request")


def _timeout_s(parameters: Json) -> float | None:
    timeout_us = parameters.get("timeout", 0)
    if not _is_count(timeout_us):
        raise InvalidParameter("The request must have whole microseconds from 0 on as timeout.")
    return timeout_us / 1e6 or None


def _refuse_shared_memory(parameters: Json, who: str) -> None:
    if "shared_memory_region" in parameters:
        raise InvalidParameter(f"{who} is in shared memory, which is not offered here.")


def _parameters(described: Json, who: str) -> Json:
    parameters = described.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise InputError(f'{who} must have an object as "parameters".')
    return parameters


def _objects(asked: Json, key: str) -> list[Json]:
    found = asked.get(key)
    if not isinstance(found, list) or not all(isinstance(part, dict) for part in found):
        raise InputError(f'The request must have a list of objects as "{key}".')
    return found


def _text(described: Json, key: str, who: str) -> str:
    found = described.get(key)
    if not isinstance(found, str):
        raise InputError(f'{who} must have a text as "{key}".')
    return found


def _optional_text(asked: Json, key: str) -> str | None:
    return None if asked.get(key) is None else _text(asked, key, "The request")


def _flag(parameters: Mapping[str, Any], key: str, default: bool, who: str) -> bool:
    found = parameters.get(key, default)
    if not isinstance(found, bool):
        raise InvalidParameter(f"{who} must have true or false as {key}.")
    return found


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0
