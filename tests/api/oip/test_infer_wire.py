"""Requests and answers go over the wire and come back the same, whatever they hold."""

import json
import struct
from contextlib import suppress
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from tritonclient.utils import deserialize_bytes_tensor, serialize_byte_tensor

from service.api.oip.tensor import DTYPES, GivenTensor, SentTensor, written
from service.api.oip.wire import InferRequest, json_length, read_request
from service.contract.errors import ConvscopeError, InputError

SHAPES = npst.array_shapes(min_dims=1, max_dims=5, max_side=6)
PLAIN = sorted(set(DTYPES) - {"FP16"})


@st.composite
def tensors(draw: st.DrawFn, datatypes: list[str]) -> tuple[str, np.ndarray]:
    datatype = draw(st.sampled_from(datatypes))
    dtype = DTYPES[datatype]
    values = npst.from_dtype(dtype, allow_nan=False, allow_infinity=False)
    return datatype, draw(npst.arrays(dtype, SHAPES, elements=values))


def same(found: np.ndarray, wanted: np.ndarray) -> bool:
    return (found.dtype, found.shape) == (wanted.dtype, wanted.shape) and np.array_equal(
        found, wanted
    )


@given(tensors(PLAIN), st.booleans())
def test_every_number_survives_json(sent: tuple[str, np.ndarray], nested: bool) -> None:
    """Flat or nested: integers of 64 bits and the last bit of floats are the same."""
    datatype, values = sent
    data = values.tolist() if nested else values.reshape(-1).tolist()
    text = json.dumps(
        {"inputs": [{"name": "x", "datatype": datatype, "shape": values.shape, "data": data}]}
    )
    read = read_request(text.encode(), len(text)).inputs[0]
    assert same(read.array(), values)


@given(tensors(sorted(DTYPES)), st.binary(max_size=5))
def test_every_number_survives_as_bytes(sent: tuple[str, np.ndarray], before: bytes) -> None:
    """Wherever in the body they begin; the same bytes are sent back."""
    datatype, values = sent
    content = values.tobytes()
    view = memoryview(before + content)[len(before) :]
    found = SentTensor("x", datatype, values.shape, view).array()
    assert same(found, values)
    assert found.flags.aligned
    assert GivenTensor("x", datatype, values.shape, found, True).content() == content


@given(tensors(PLAIN))
def test_answer_in_json_is_read_as_the_same_numbers(given_: tuple[str, np.ndarray]) -> None:
    """As a client reads it: a flat list of the values, and their shape."""
    datatype, values = given_
    told = GivenTensor("x", datatype, values.shape, values, False).described(None)
    read = json.loads(orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY))
    assert same(np.array(read["data"], values.dtype).reshape(read["shape"]), values)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20))
def test_bytes_are_what_tritonclient_makes_and_reads(files: list[bytes]) -> None:
    """Both ways, the empty ones too."""
    theirs = serialize_byte_tensor(np.array(files, object)).item()
    assert written(files) == theirs
    assert SentTensor("x", "BYTES", (len(files),), memoryview(theirs)).elements() == files
    assert deserialize_bytes_tensor(written(files)).tolist() == files


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, int, list[tuple[str, np.ndarray]]]:
    """A request with tensors in the JSON and behind it, in any order."""
    sent = draw(st.lists(tensors(PLAIN), min_size=1, max_size=5))
    described, parts = [], []
    for number, (datatype, values) in enumerate(sent):
        about: dict[str, Any] = {"name": f"x{number}", "datatype": datatype, "shape": values.shape}
        if draw(st.booleans()):
            parts.append(values.tobytes())
            about["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            about["data"] = values.tolist()
        described.append(about)
    head = json.dumps({"id": draw(st.text(max_size=9)), "inputs": described}).encode()
    return b"".join([head, *parts]), len(head), sent


@given(requests())
def test_mixed_inputs_are_found_where_they_are(
    request_: tuple[bytes, int, list[tuple[str, np.ndarray]]],
) -> None:
    """Bytes follow the JSON in the order of the inputs that have some there."""
    body, head, sent = request_
    read = read_request(body, json_length(str(head), len(body)))
    assert len(read.inputs) == len(sent)
    for tensor, (datatype, values) in zip(read.inputs, sent, strict=True):
        assert tensor.datatype == datatype
        assert same(tensor.array(), values)


@settings(max_examples=300)
@given(requests(), st.data())
def test_damaged_request_is_read_or_refused(
    request_: tuple[bytes, int, list[tuple[str, np.ndarray]]], data: st.DataObject
) -> None:
    """Bytes that are changed, lost or added make another request or a refusal, nothing else."""
    body, head, _ = request_
    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged)))
        damaged[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    length = data.draw(st.sampled_from([head, len(damaged), len(damaged) // 2, 10**9]))
    with suppress(ConvscopeError):
        read = read_request(bytes(damaged), json_length(str(length), len(damaged)))
        for tensor in read.inputs:
            tensor.elements() if tensor.datatype == "BYTES" else tensor.array()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.text(max_size=5), parts),
    max_leaves=12,
)
KEYS = ("name", "datatype", "shape", "data", "parameters")
TENSORS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(KEYS, JSON),
        "name": st.just("x") | JSON,
        "datatype": st.sampled_from([*DTYPES, "BYTES"]) | JSON,
        "shape": st.lists(st.integers(-1, 3), max_size=3) | JSON,
        "data": st.lists(st.integers(-1, 300) | JSON, max_size=4) | JSON,
    },
)


@settings(max_examples=300)
@given(
    st.fixed_dictionaries(
        {"inputs": st.lists(TENSORS, max_size=2) | JSON},
        optional={"outputs": JSON, "parameters": JSON, "id": JSON},
    )
)
def test_any_json_is_read_or_refused(asked: dict[str, Any]) -> None:
    """Whatever stands where something else should."""
    body = orjson.dumps(_small(asked))
    with suppress(ConvscopeError):
        read = read_request(body, len(body))
        assert isinstance(read, InferRequest)
        for tensor in read.inputs:
            tensor.elements() if tensor.datatype == "BYTES" else tensor.array()


def _small(value: Any) -> Any:
    """Return JSON whose integers have 64 bits, as orjson writes no others."""
    if isinstance(value, dict):
        return {key: _small(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_small(part) for part in value]
    return value % 2**63 if isinstance(value, int) and not isinstance(value, bool) else value


@given(st.lists(st.integers(0, 2**32 - 1), max_size=4), st.binary(max_size=40))
def test_lengths_that_lie_are_refused_without_memory(lengths: list[int], rest: bytes) -> None:
    """Elements are as long as they say, or it is an error; none is longer than what is there."""
    content = b"".join(struct.pack("<I", length) for length in lengths) + rest
    tensor = SentTensor("x", "BYTES", (3,), memoryview(content))
    try:
        found = tensor.elements()
    except InputError:
        return
    assert written(found) == content


@pytest.mark.parametrize("datatype", ["INT64", "UINT64"])
def test_largest_integers_are_exact(datatype: str) -> None:
    """Not by way of a float, which would round them."""
    limits = np.iinfo(DTYPES[datatype])
    values = [int(limits.min), int(limits.max), int(limits.max) - 1]
    assert SentTensor("x", datatype, (3,), values).array().tolist() == values
