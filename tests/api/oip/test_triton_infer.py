"""Inference by tritonclient, as it is, from a server that is a process of its own."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as aio
from tritonclient.utils import InferenceServerException

from tests.api.oip.test_infer import expected
from tests.api.real_server import Server, start, stop
from tests.pictures import flat
from tests.sounds import stored, tone
from tests.tiny_models import write_listener, write_model, write_segmenter

PICTURES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)
PADDED = [(None, None), ("gzip", None), (None, "gzip"), ("deflate", "deflate"), ("gzip", "deflate")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("models")
    write_model(root, version=1, sharpness=1)
    write_model(root, version=2)
    write_segmenter(root)
    write_listener(root)
    server = start(root)
    yield server
    assert stop(server) == 0


@pytest.fixture
def client(server: Server) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}", concurrency=4) as client:
        yield client


def sent(values: np.ndarray, binary: bool = True, name: str = "images") -> triton.InferInput:
    datatype = {"uint8": "UINT8", "float32": "FP32", "object": "BYTES"}[values.dtype.name]
    tensor = triton.InferInput(name, list(values.shape), datatype)
    tensor.set_data_from_numpy(values, binary_data=binary)
    return tensor


def files(*contents: bytes) -> np.ndarray:
    return np.array(contents, object)


@pytest.mark.parametrize("sent_as_bytes", [True, False])
@pytest.mark.parametrize("answered_as_bytes", [True, False])
@pytest.mark.parametrize(("request_coding", "answer_coding"), PADDED)
def test_numbers_are_the_same_in_every_form(
    client: triton.InferenceServerClient,
    sent_as_bytes: bool,
    answered_as_bytes: bool,
    request_coding: str | None,
    answer_coding: str | None,
) -> None:
    """JSON or bytes, there and back, compressed or not."""
    result = client.infer(
        "colors",
        [sent(PICTURES, sent_as_bytes)],
        outputs=[triton.InferRequestedOutput("probabilities", binary_data=answered_as_bytes)],
        request_id="a request",
        request_compression_algorithm=request_coding,
        response_compression_algorithm=answer_coding,
    )
    plain = client.infer("colors", [sent(PICTURES)]).as_numpy("probabilities")
    assert plain == pytest.approx(expected(PICTURES), abs=1e-6)
    found = result.as_numpy("probabilities")
    assert found.dtype == np.float32
    assert found.tolist() == plain.tolist()
    assert result.get_response()["id"] == "a request"


def test_version_is_what_was_asked_for(client: triton.InferenceServerClient) -> None:
    """As a text, as the client wants it; unset, the highest."""
    for version, sharpness in (("1", 1), ("2", 10), ("", 10)):
        result = client.infer("colors", [sent(PICTURES)], model_version=version)
        assert result.get_response()["model_version"] == (version or "2")
        found = result.as_numpy("probabilities")
        assert found == pytest.approx(expected(PICTURES, sharpness), abs=1e-6)


def test_classes_are_told_as_triton_tells_them(client: triton.InferenceServerClient) -> None:
    """`class_count` gives texts that are split at the colons."""
    wanted = triton.InferRequestedOutput("probabilities", class_count=2)
    result = client.infer("colors", [sent(PICTURES)], outputs=[wanted])
    texts = result.as_numpy("probabilities")
    assert texts.shape == (4, 2)
    likely = expected(PICTURES)
    for row, values in zip(texts, likely, strict=True):
        for text, index in zip(row, np.argsort(-values), strict=False):
            value, told, label = text.decode().split(":")
            assert (int(told), label) == (index, ("red", "green", "blue")[index])
            assert float(value) == pytest.approx(values[index], abs=1e-6)


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_pictures_are_sent_as_files(
    client: triton.InferenceServerClient, shape: tuple[int, ...]
) -> None:
    """An array of objects, each the bytes of a JPEG or PNG."""
    pictures = files(flat("green"), flat("blue", "PNG")).reshape(shape)
    found = client.infer("colors", [sent(pictures)]).as_numpy("probabilities")
    assert found.argmax(axis=1).tolist() == [1, 2]


def test_all_outputs_come_unless_some_are_asked_for(
    client: triton.InferenceServerClient,
) -> None:
    """A segmenter has two; one may come as JSON and the other as bytes."""
    picture = np.random.default_rng(1).integers(0, 256, (1, 8, 12, 3), np.uint8)
    both = client.infer("paint", [sent(picture)])
    assert both.as_numpy("mask").shape == (1, 8, 12)
    assert (both.as_numpy("probabilities").argmax(axis=1) == both.as_numpy("mask")).all()
    asked = [
        triton.InferRequestedOutput("probabilities", binary_data=False),
        triton.InferRequestedOutput("mask", binary_data=True),
    ]
    mixed = client.infer("paint", [sent(picture)], outputs=asked)
    for name in ("mask", "probabilities"):
        assert mixed.as_numpy(name).tolist() == both.as_numpy(name).tolist()
    only = client.infer("paint", [sent(picture)], outputs=asked[1:])
    assert only.as_numpy("probabilities") is None


def test_sound_is_sent_as_a_file(client: triton.InferenceServerClient, server: Server) -> None:
    """A WAV, as long as it likes; the numbers are those of /v1."""
    file = stored(tone(3.3, 0.3))
    found = client.infer("loudness", [sent(files(file), name="sounds")])
    told = httpx.post(f"{server.url}/v1/models/loudness/classify", content=file).json()
    likely = {p["class_index"]: p["probability"] for p in told["predictions"]}
    assert found.as_numpy("probabilities")[0].tolist() == [
        pytest.approx(likely[index], abs=1e-7) for index in range(3)
    ]


def test_requests_may_be_sent_ahead(client: triton.InferenceServerClient) -> None:
    """`async_infer` from several at once: each result is that of its own request."""
    tensors = [np.full((1 + n % 3, 8, 8, 3), n * 20, np.uint8) for n in range(12)]
    waiting = [client.async_infer("colors", [sent(values)]) for values in tensors]
    for values, request in zip(tensors, waiting, strict=True):
        found = request.get_result(block=True).as_numpy("probabilities")
        assert found == pytest.approx(expected(values), abs=1e-6)


def test_client_of_asyncio_is_answered_as_well(server: Server) -> None:
    """The same requests by another library."""

    async def ask() -> np.ndarray:
        async with aio.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
            results = await asyncio.gather(
                *(client.infer("colors", [sent(PICTURES, binary)]) for binary in (True, False))
            )
            return np.stack([result.as_numpy("probabilities") for result in results])

    assert asyncio.run(ask()) == pytest.approx(np.stack([expected(PICTURES)] * 2), abs=1e-6)


def test_threads_with_clients_of_their_own_are_served(server: Server) -> None:
    """Clients are not to be shared among threads; several are."""

    def ask(number: int) -> np.ndarray:
        with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
            values = np.full((2, 8, 8, 3), number * 30, np.uint8)
            return client.infer("colors", [sent(values)]).as_numpy("probabilities")

    with ThreadPoolExecutor(4) as pool:
        assert all(found.shape == (2, 3) for found in pool.map(ask, range(8)))


def test_schedule_is_accepted(client: triton.InferenceServerClient) -> None:
    """What is for other kinds of models changes nothing."""
    result = client.infer(
        "colors",
        [sent(PICTURES)],
        sequence_id=7,
        sequence_start=True,
        sequence_end=True,
        priority=2,
        timeout=10_000_000,
        headers={"x-request-id": "abc"},
        query_params={"of": "mine"},
        parameters={"my_own": 1},
    )
    assert result.as_numpy("probabilities").shape == (4, 3)


@pytest.mark.parametrize(
    ("values", "model", "version", "says"),
    [
        (PICTURES, "colours", "", "[404] There is no model 'colours'. Did you mean 'colors'"),
        (PICTURES, "colors", "9", "[404] There is no version '9'."),
        (PICTURES.astype(np.float32), "colors", "", "takes UINT8 [-1, 8, 8, 3], or BYTES"),
        (PICTURES[:, :4], "colors", "", "not [4, 4, 8, 3]"),
        (files(b"no picture"), "colors", "", "[415]"),
    ],
)
def test_errors_are_exceptions_with_their_sentence(
    client: triton.InferenceServerClient,
    values: np.ndarray,
    model: str,
    version: str,
    says: str,
) -> None:
    """The client shows what the server said, not that it could not read it."""
    with pytest.raises(InferenceServerException) as failed:
        client.infer(model, [sent(values)], model_version=version)
    assert says in str(failed.value)
    assert "exception occurred in the client" not in str(failed.value)


def test_time_that_is_over_is_an_error(client: triton.InferenceServerClient) -> None:
    """A microsecond is enough for nobody."""
    with pytest.raises(InferenceServerException, match="within the time") as failed:
        client.infer("colors", [sent(PICTURES)], timeout=1)
    assert failed.value.status() == "504"


def test_shared_memory_is_refused_plainly(client: triton.InferenceServerClient) -> None:
    """With a sentence, for inputs and outputs."""
    there = triton.InferInput("images", [4, 8, 8, 3], "UINT8")
    there.set_shared_memory("region", PICTURES.nbytes)
    back = triton.InferRequestedOutput("probabilities")
    back.set_shared_memory("region", 48)
    for inputs, outputs in (([there], None), ([sent(PICTURES)], [back])):
        with pytest.raises(InferenceServerException, match="shared memory, which is not offered"):
            client.infer("colors", inputs, outputs=outputs)
