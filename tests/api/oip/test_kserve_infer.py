"""Inference by kserve's REST client, as it is, from a server that is a process of its own."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import kserve
import numpy as np
import pytest

from tests.api.oip.test_infer import expected
from tests.api.real_server import Server, start, stop
from tests.pictures import flat
from tests.tiny_models import write_model, write_segmenter

PICTURES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("models")
    write_model(root)
    write_segmenter(root)
    server = start(root)
    yield server
    assert stop(server) == 0


def ask(server: Server, model: str, request: Any) -> Any:
    async def asking() -> Any:
        client = kserve.InferenceRESTClient(kserve.inference_client.RESTConfig(protocol="v2"))
        try:
            return await client.infer(server.url, request, model_name=model)
        finally:
            await client.close()

    return asyncio.run(asking())


def request_with(
    model: str, values: np.ndarray, binary: bool, datatype: str = "UINT8", **how: Any
) -> Any:
    tensor = kserve.InferInput("images", list(values.shape), datatype)
    tensor.set_data_from_numpy(values, binary_data=binary)
    return kserve.InferRequest(model_name=model, infer_inputs=[tensor], **how)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("answered", [None, True, False])
def test_numbers_are_the_same_in_every_form(
    server: Server, binary: bool, answered: bool | None
) -> None:
    """JSON or bytes, there and back; the id comes back too."""
    how: dict[str, Any] = {"request_id": "a request"}
    if answered is not None:
        how["parameters"] = {"binary_data_output": answered}
    response = ask(server, "colors", request_with("colors", PICTURES, binary, **how))
    assert (response.id, response.model_name) == ("a request", "colors")
    (output,) = response.outputs
    assert (output.name, output.datatype, output.shape) == ("probabilities", "FP32", [4, 3])
    assert output.as_numpy() == pytest.approx(expected(PICTURES), abs=1e-6)


def test_outputs_are_those_that_were_asked_for(server: Server) -> None:
    """By name, each in its own form."""
    picture = np.random.default_rng(1).integers(0, 256, (1, 8, 12, 3), np.uint8)
    asked = [
        kserve.protocol.infer_type.RequestedOutput("probabilities", {"binary_data": True}),
        kserve.protocol.infer_type.RequestedOutput("mask", {"binary_data": False}),
    ]
    response = ask(server, "paint", request_with("paint", picture, True, request_outputs=asked))
    probabilities, mask = response.outputs
    assert probabilities.as_numpy().argmax(axis=1).tolist() == mask.as_numpy().tolist()


def test_pictures_are_sent_as_files(server: Server) -> None:
    """As BYTES behind the JSON."""
    pictures = np.array([flat("green"), flat("blue")], object)
    response = ask(server, "colors", request_with("colors", pictures, True, "BYTES"))
    assert response.outputs[0].as_numpy().argmax(axis=1).tolist() == [1, 2]


def test_plain_dictionary_is_sent_as_well(server: Server) -> None:
    """Without the client's own types."""
    described = {"name": "images", "shape": [4, 8, 8, 3], "datatype": "UINT8"}
    response = ask(server, "colors", {"inputs": [{**described, "data": PICTURES.tolist()}]})
    assert response.outputs[0].as_numpy() == pytest.approx(expected(PICTURES), abs=1e-6)


def test_errors_are_exceptions_with_their_sentence(server: Server) -> None:
    """The client shows what the server said."""
    with pytest.raises(httpx.HTTPStatusError, match="There is no model 'colours'"):
        ask(server, "colours", request_with("colours", PICTURES, True))
    with pytest.raises(httpx.HTTPStatusError, match="takes the shape"):
        ask(server, "colors", request_with("colors", PICTURES[:, :4], False))
