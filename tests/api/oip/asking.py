"""Requests for inference written by hand, and answers read by hand."""

import json
import struct
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np

from tests.api.client import Client

LENGTH = "inference-header-content-length"
DTYPES = {"uint8": "UINT8", "float32": "FP32"}
NUMPY = {"UINT8": np.uint8, "FP32": np.float32}


def tensor(name: str, values: np.ndarray, **parameters: Any) -> dict[str, Any]:
    """Return an input that comes in the JSON, in a flat list."""
    described = {
        "name": name,
        "shape": list(values.shape),
        "datatype": DTYPES[values.dtype.name],
        "data": values.reshape(-1).tolist(),
    }
    return {**described, "parameters": parameters} if parameters else described


def behind(name: str, datatype: str, shape: Sequence[int], size: int) -> dict[str, Any]:
    """Return an input of which so many bytes follow the JSON."""
    parameters = {"binary_data_size": size}
    return {"name": name, "shape": list(shape), "datatype": datatype, "parameters": parameters}


def elements(*files: bytes) -> bytes:
    """Return files as they are in a tensor of BYTES."""
    return b"".join(struct.pack("<I", len(file)) + file for file in files)


def with_bytes(asked: dict[str, Any], *parts: bytes) -> dict[str, Any]:
    """Return what httpx is to send: the JSON and the bytes behind it."""
    head = json.dumps(asked).encode()
    return {"content": b"".join([head, *parts]), "headers": {LENGTH: str(len(head))}}


def sent_as_bytes(name: str, values: np.ndarray, **asked: Any) -> dict[str, Any]:
    """Return what httpx is to send for one tensor behind the JSON."""
    content = values.tobytes()
    described = behind(name, DTYPES[values.dtype.name], values.shape, len(content))
    return with_bytes({"inputs": [described], **asked}, content)


def sent_as_files(name: str, *files: bytes, **asked: Any) -> dict[str, Any]:
    """Return what httpx is to send for files in a tensor of BYTES."""
    content = elements(*files)
    described = behind(name, "BYTES", [len(files)], len(content))
    return with_bytes({"inputs": [described], **asked}, content)


def infer(client: Client, model: str, **how: Any) -> httpx.Response:
    return client.post(f"/v2/models/{model}/infer", **how)


def outputs_of(answer: httpx.Response) -> dict[str, np.ndarray]:
    """Return the tensors of an answer, whether they are in the JSON or behind it."""
    assert answer.status_code == 200, answer.text
    length = int(answer.headers.get(LENGTH, len(answer.content)))
    told, rest = json.loads(answer.content[:length]), answer.content[length:]
    found: dict[str, np.ndarray] = {}
    for output in told["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is None:
            values = np.array(output["data"], NUMPY[output["datatype"]])
        else:
            values, rest = np.frombuffer(rest[:size], NUMPY[output["datatype"]]), rest[size:]
        found[output["name"]] = values.reshape(output["shape"])
    assert not rest
    return found


def refusal(answer: httpx.Response) -> str:
    """Return the sentence of an answer that is a refusal, as the protocol's clients read it."""
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert list(told) == ["error"]
    sentence: str = told["error"]
    return sentence
