"""What clients of Hugging Face send: a file as it is, or JSON with the file in base64."""

import binascii
import re
from dataclasses import dataclass
from typing import Any

import orjson

from service.contract.errors import InputError, InvalidParameter

# No picture and no sound begins so. The content type tells nothing: `InferenceClient` sends
# bytes without one, and curl calls everything a form.
_JSON = re.compile(rb"\s{0,99}[{\[]")
# `options` steers the caches and the loading of Hugging Face's own servers, never an answer.
_FIELDS = ("inputs", "parameters", "options")
# Base64 has no commas, and parameters are few. Reading millions of them would keep everybody
# waiting, wherever it is done, and take a hundred times the bytes that were sent.
_MOST_COMMAS = 1000
_DATA_URI = re.compile(r"data:[^,]{0,256};base64,", re.IGNORECASE)
_SPACE = b" \t\r\n"


@dataclass(frozen=True)
class Sent:
    """One file and what is asked of it. parameters: those that are not null."""

    file: bytes
    parameters: dict[str, Any]


def is_json(body: bytes) -> bool:
    """Return whether the body is JSON around a file, not the file itself."""
    return _JSON.match(body) is not None


def read_sent(body: bytes) -> Sent:
    """Return what was sent; of a large body it takes a moment.

    Raises: InputError if the JSON is malformed; InvalidParameter if it says something else.
    """
    if not is_json(body):
        return Sent(body, {})
    if body.count(b",") > _MOST_COMMAS:
        raise InvalidParameter(
            f"The JSON has more than {_MOST_COMMAS:,} commas: it is a file in base64 and a few "
            "parameters."
        )
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InputError(f"The body begins like JSON but is malformed: {error}.") from None
    if not isinstance(told, dict):
        raise InvalidParameter("The JSON must be an object with the file in 'inputs'.")
    for name in told:
        if name not in _FIELDS:
            raise InvalidParameter(f"There is no {name[:200]!r} here; {_listed(_FIELDS)} are read.")
    return Sent(_file(told.get("inputs")), _parameters(told.get("parameters")))


def _file(inputs: object) -> bytes:
    if not isinstance(inputs, str):
        raise InvalidParameter("'inputs' must be one picture or sound in base64, as a string.")
    if inputs[:8].lower().startswith(("http://", "https://")):
        raise InvalidParameter(
            "'inputs' is an address: nothing is fetched from here; send the file in base64."
        )
    prefix = _DATA_URI.match(inputs)
    try:
        encoded = inputs[prefix.end() if prefix else 0 :].encode("ascii")
        # of bytes, because text takes far longer, and lets nobody else run meanwhile
        return binascii.a2b_base64(encoded.translate(None, _SPACE), strict_mode=True)
    except UnicodeEncodeError:
        raise InvalidParameter("'inputs' is not a file in base64: it is not all ASCII.") from None
    except ValueError as error:
        raise InvalidParameter(f"'inputs' is not a file in base64: {error}.") from None


def _parameters(told: object) -> dict[str, Any]:
    if not isinstance(told, dict | None):
        raise InvalidParameter("'parameters' must be an object.")
    return {name: value for name, value in (told or {}).items() if value is not None}


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(repr, names))
