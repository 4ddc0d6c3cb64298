"""What inference refuses, each with a sentence that says what was expected."""

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from service.settings import Settings
from tests.api.client import Client
from tests.api.oip.asking import (
    LENGTH,
    behind,
    elements,
    infer,
    outputs_of,
    refusal,
    sent_as_bytes,
    sent_as_files,
    tensor,
    with_bytes,
)
from tests.pictures import bomb, flat
from tests.tiny_models import write_listener, write_measurer, write_model, write_segmenter

PICTURES = np.zeros((2, 8, 8, 3), np.uint8)
GOOD = tensor("images", PICTURES)
RAW = PICTURES.tobytes()
SOUNDS = np.zeros((1, 4000), np.float32)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    root = tmp_path_factory.mktemp("models")
    write_model(root)
    write_segmenter(root)
    write_listener(root)
    write_measurer(root)
    settings = Settings(
        models_dir=root, device="cpu", threads=2, max_files=3, max_body_bytes=9_000_000
    )
    with Client(settings) as client:
        yield client
        # whatever was asked, it goes on
        answer = infer(client, "colors", **sent_as_bytes("images", PICTURES))
        assert outputs_of(answer)["probabilities"].shape == (2, 3)


def body(**changes: Any) -> dict[str, Any]:
    """Return a good request in JSON but for the changes to its only input."""
    return {"json": {"inputs": [{**GOOD, **changes}]}}


def raw(content: bytes | str) -> dict[str, Any]:
    return {"content": content}


def headed(header: str, content: bytes = b'{"inputs": []}') -> dict[str, Any]:
    return {"content": content, "headers": {LENGTH: header}}


def packed(described: dict[str, Any], content: bytes, **asked: Any) -> dict[str, Any]:
    return with_bytes({"inputs": [described], **asked}, content)


def asking(**asked: Any) -> dict[str, Any]:
    return {"json": {"inputs": [GOOD], **asked}}


def output(name: Any = "probabilities", **parameters: Any) -> dict[str, Any]:
    return asking(outputs=[{"name": name, "parameters": parameters}])


def values(*values: Any) -> dict[str, Any]:
    """Return a request for one picture that begins with those values."""
    return body(shape=[1, 8, 8, 3], data=[*values, *[0] * (192 - len(values))])


# The beginning of an input, and lists in lists as many as are read.
_UNSIZED = '"name": "images", "datatype": "UINT8", "shape": [2, 8, 8, 3]'
_DEEP = "[" * 1020 + "]" * 1020

# name: (what is sent to the model of colors, status, what the sentence says)
MALFORMED: dict[str, tuple[dict[str, Any], int, str]] = {
    # the JSON
    "nothing": (raw(b""), 400, "JSON of the request cannot be read"),
    "no JSON": (raw(b"\xff\xfe"), 400, "cannot be read"),
    "cut short": (raw('{"inputs": ['), 400, "cannot be read"),
    "NaN": (raw('{"inputs": [NaN]}'), 400, "cannot be read"),
    "half a surrogate": (raw('{"id": "\\ud800"}'), 400, "cannot be read"),
    "deep": (raw("[" * 100_000), 400, "cannot be read"),
    "deep, but good": (body(data=[json.loads("[" * 900 + "]" * 900)]), 400, "384 values, not 0"),
    "a list": (raw("[]"), 400, "must be an object"),
    "null": (raw("null"), 400, "must be an object"),
    "too long": (raw(b" " * 8_500_000), 413, "at most 8,388,608 are accepted"),
    # the length of the JSON
    "length in words": (headed("ten"), 400, "must be a number of bytes"),
    "negative length": (headed("-1"), 400, "must be a number of bytes"),
    "huge length": (headed("9" * 30), 400, "must be a number of bytes"),
    "length beyond the end": (headed("15"), 400, "says 15, but the body has 14"),
    "length too short": (headed("13"), 400, "cannot be read"),
    # inputs
    "no inputs": (raw("{}"), 400, 'a list of objects as "inputs"'),
    "inputs of another kind": (raw('{"inputs": {}}'), 400, "list of objects"),
    "inputs of numbers": (raw('{"inputs": [1]}'), 400, "list of objects"),
    "empty inputs": (raw('{"inputs": []}'), 400, 'must have "inputs"'),
    "nameless": (body(name=None), 400, 'text as "name"'),
    "unknown input": (body(name="pixels"), 422, "no input 'pixels'; its input is 'images'"),
    "input twice": ({"json": {"inputs": [GOOD, GOOD]}}, 422, "came 2 times"),
    "no datatype": (body(datatype=8), 400, 'text as "datatype"'),
    "unknown datatype": (body(datatype="uint8"), 400, "there are BOOL, UINT8"),
    "BF16": (body(datatype="BF16"), 400, "there are BOOL"),
    "other datatype": (body(datatype="FP32"), 422, r"takes UINT8 \[-1, 8, 8, 3\], or BYTES"),
    "FP16 in JSON": (body(datatype="FP16"), 400, "send it as binary data"),
    # shapes
    "no shape": (body(shape=None), 400, 'numbers from 0 on as "shape"'),
    "shape of texts": (body(shape=["2"]), 400, "as .shape"),
    "shape of floats": (body(shape=[2.0, 8, 8, 3]), 400, "as .shape"),
    "shape of bools": (body(shape=[True, 8, 8, 3]), 400, "as .shape"),
    "negative shape": (body(shape=[-1, 8, 8, 3]), 400, "as .shape"),
    "huge shape": (body(shape=[2**40, 8, 8, 3]), 400, "as .shape"),
    "largest shape": (body(shape=[2**31 - 1, 8, 8, 3]), 413, "would take 25,769,803,764 bytes"),
    "endless shape": (body(shape=[1] * 9), 400, "1 to 8 whole numbers"),
    "no rows": (body(shape=[0, 8, 8, 3], data=[]), 422, "any number from 1 on, not"),
    "wrong rank": (body(shape=[384]), 422, r"takes the shape \[-1, 8, 8, 3\]"),
    "wrong size": (body(shape=[2, 8, 4, 6]), 422, r"not \[2, 8, 4, 6\]"),
    # values in JSON
    "no data": (body(data=None), 400, 'neither "data" nor "binary_data_size"'),
    "data of another kind": (body(data="AAAA"), 400, 'a list as "data"'),
    "too few values": (body(data=[0] * 383), 400, "needs 384 values, not 383"),
    "too many values": (body(data=[0] * 385), 400, "needs 384 values, not 385"),
    "ragged": (body(data=[[0] * 192, [0] * 191]), 400, "lists of different lengths"),
    "lists and numbers": (body(data=[[0] * 192, 0]), 400, "needs 384 values, not 2"),
    "nested otherwise": (body(data=[[0] * 128] * 3), 400, r"nested as \[3, 128\]"),
    "above the range": (values(256), 400, "that no UINT8 can hold"),
    "below the range": (values(-1), 400, "that no UINT8 can hold"),
    "beyond 64 bits": (values(2**70), 400, "no UINT8"),
    "fractions": (values(0.5), 400, "that are no UINT8"),
    "texts": (values("1"), 400, "that are no UINT8"),
    "one long text": (values("x" * 1_000_000), 400, "that are no UINT8"),
    "bools": (values(True), 400, "that are no UINT8"),
    "nulls": (values(None), 400, "that are no UINT8"),
    "objects": (values({}), 400, "that are no UINT8"),
    # bytes behind the JSON
    "bytes and data": (
        body(parameters={"binary_data_size": 0}),
        400,
        'both "data" and "binary_data_size"',
    ),
    "fewer bytes than said": (
        packed(behind("images", "UINT8", [2, 8, 8, 3], 384), RAW[:-1]),
        400,
        "has 384 as binary_data_size; 383 bytes are left",
    ),
    "more bytes than said": (
        packed(behind("images", "UINT8", [2, 8, 8, 3], 384), RAW + b"x"),
        400,
        "1 bytes follow the JSON that belong to no input",
    ),
    "bytes but no header": (
        {"json": {"inputs": [behind("images", "UINT8", [2, 8, 8, 3], 384)]}},
        400,
        "0 bytes are left",
    ),
    "size that does not fit the shape": (
        packed(behind("images", "UINT8", [3, 8, 8, 3], 384), RAW),
        400,
        "needs 576 bytes, not 384",
    ),
    "size that is no number": (
        packed({**GOOD, "data": None, "parameters": {"binary_data_size": "384"}}, RAW),
        400,
        "as binary_data_size",
    ),
    "negative size": (
        packed({**GOOD, "data": None, "parameters": {"binary_data_size": -384}}, RAW),
        400,
        "a number of bytes as binary_data_size",
    ),
    "size as deep as JSON goes": (
        raw(f'{{"inputs": [{{{_UNSIZED}, "parameters": {{"binary_data_size": {_DEEP}}}}}]}}'),
        400,
        "a number of bytes as binary_data_size",
    ),
    # files
    "files in a square": (
        packed(behind("images", "BYTES", [2, 2], 0), b""),
        422,
        r"takes the shape \[N\] or \[N, 1\]",
    ),
    "no files": (packed(behind("images", "BYTES", [0], 0), b""), 422, "at least one element"),
    "too many files": (sent_as_files("images", *[b"x"] * 4), 413, "At most 3 files"),
    "element that lies": (
        packed(behind("images", "BYTES", [1], 6), b"\xff\xff\xff\xffab"),
        400,
        "element of 4,294,967,295 bytes, of which 2 are there",
    ),
    "element that lies a little": (
        packed(behind("images", "BYTES", [1], 6), b"\x03\0\0\0ab"),
        400,
        "element of 3 bytes, of which 2 are there",
    ),
    "end within a length": (
        packed(behind("images", "BYTES", [2], 7), elements(b"") + b"\0\0\0"),
        400,
        "ends within the length",
    ),
    "too few elements": (
        packed(behind("images", "BYTES", [2], 5), elements(b"x")),
        400,
        "needs 2 elements, not 1",
    ),
    "too many elements": (
        packed(behind("images", "BYTES", [1], 10), elements(b"x", b"y")),
        400,
        "has more elements than 1",
    ),
    "endless empty elements": (
        packed(behind("images", "BYTES", [1], 400_000), bytes(400_000)),
        400,
        "has more elements than 1",
    ),
    "file as text": (body(datatype="BYTES", shape=[1], data=["x"]), 400, "as texts in base64"),
    "no base64": (
        body(datatype="BYTES", shape=[1], data=["!"], parameters={"content_type": "base64"}),
        400,
        "no base64",
    ),
    "base64 of a number": (
        body(datatype="BYTES", shape=[1], data=[7], parameters={"content_type": "base64"}),
        400,
        "base64",
    ),
    "empty file": (sent_as_files("images", b""), 400, "bytes"),
    "no picture": (sent_as_files("images", flat("red"), b"text"), 415, "format"),
    "broken picture": (sent_as_files("images", flat("red")[:200]), 422, ""),
    "bomb": (sent_as_files("images", bomb()), 413, "pixels"),
    # outputs
    "outputs of another kind": (asking(outputs="all"), 400, 'list of objects as "outputs"'),
    "nameless output": (output(None), 400, 'text as "name"'),
    "unknown output": (output("logits"), 422, "no output 'logits'; it has 'probabilities'"),
    "output twice": (
        asking(outputs=[{"name": "probabilities"}] * 2),
        422,
        "'probabilities' is asked for twice",
    ),
    "no classes": (output(classification=0), 422, "a number from 1 on as classification"),
    "classes in words": (output(classification="3"), 422, "as classification"),
    "bytes or not": (output(binary_data=1), 422, "true or false as binary_data"),
    # parameters
    "parameters of another kind": (asking(parameters=[]), 400, 'object as "parameters"'),
    "parameters of an input": (body(parameters=3), 400, 'object as "parameters"'),
    "all as bytes or not": (
        asking(parameters={"binary_data_output": "yes"}),
        422,
        "true or false as binary_data_output",
    ),
    "id that is no text": (asking(id=7), 400, 'text as "id"'),
    "negative timeout": (asking(parameters={"timeout": -1}), 422, "microseconds from 0 on"),
    "timeout in words": (asking(parameters={"timeout": "1"}), 422, "microseconds"),
    "timeout in parts": (asking(parameters={"timeout": 0.5}), 422, "microseconds"),
    "negative priority": (asking(parameters={"priority": -1}), 422, "as priority"),
    "sequence of another kind": (asking(parameters={"sequence_id": 1.5}), 422, "as sequence_id"),
    "start of another kind": (asking(parameters={"sequence_start": 1}), 422, "sequence_start"),
    "shared memory in": (
        body(data=None, parameters={"shared_memory_region": "r", "shared_memory_byte_size": 384}),
        422,
        "shared memory, which is not offered",
    ),
    "shared memory out": (
        output(shared_memory_region="r", shared_memory_byte_size=24),
        422,
        "shared memory",
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_request_is_refused_with_what_was_expected(client: Client, name: str) -> None:
    """Every one gets a 4xx and a sentence that its sender can act on."""
    how, status, sentence = MALFORMED[name]
    answer = infer(client, "colors", **how)
    refused = refusal(answer)
    assert answer.status_code == status, refused
    assert re.search(sentence, refused), refused
    assert len(refused) < 600


@pytest.mark.parametrize(
    "parameters",
    [
        {"priority": 3},
        {"timeout": 0},
        {"timeout": 20_000_000},
        {"sequence_id": 9, "sequence_start": True, "sequence_end": False},
        {"sequence_id": "nine"},
        {"my_own": "thing"},
    ],
    ids=str,
)
def test_what_changes_nothing_here_is_accepted(client: Client, parameters: dict[str, Any]) -> None:
    """As Triton does with models that have no priorities and no sequences."""
    answer = infer(client, "colors", **asking(parameters=parameters))
    assert outputs_of(answer)["probabilities"].shape == (2, 3)


@pytest.mark.parametrize("side", [4, 8, 1024])
def test_smallest_and_largest_pictures_are_taken(client: Client, side: int) -> None:
    """One multiple is enough; a million pixels are not too many."""
    pictures = np.zeros((1, side, 4 if side == 4 else 1024, 3), np.uint8)
    asked = [{"name": "mask", "parameters": {"binary_data": True}}]
    found = outputs_of(infer(client, "paint", **sent_as_bytes("images", pictures, outputs=asked)))
    assert found["mask"].shape == pictures.shape[:3]
