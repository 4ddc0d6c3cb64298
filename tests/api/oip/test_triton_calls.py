"""Every call of tritonclient but infer, unmodified, against a running server."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import tritonclient.http.aio
from tritonclient.http import InferenceServerClient
from tritonclient.http.auth import BasicAuth
from tritonclient.utils import InferenceServerException

from service.version import VERSION
from tests.api.oip.speaking import ADMIN, KEY, refused
from tests.api.real_server import Server
from tests.pictures import flat

AioClient = tritonclient.http.aio.InferenceServerClient

# Where it reads nothing but the status, the client of asyncio leaves the rest to the collector.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning")


@pytest.fixture(scope="module", autouse=True)
def _nothing_left() -> Iterator[None]:
    """Have what this client left collected while its warnings are expected."""
    yield
    gc.collect()


def by_aio(served: Server, call: Callable[[AioClient], Awaitable[Any]]) -> Any:
    """Return what the client of asyncio makes of the call."""

    async def ask() -> Any:
        async with AioClient(f"127.0.0.1:{served.port}") as client:
            return await call(client)

    return asyncio.run(ask())


def test_health(triton: InferenceServerClient, served: Server) -> None:
    """Without a key."""
    assert triton.is_server_live() is True
    assert triton.is_server_ready() is True
    assert by_aio(served, lambda client: client.is_server_live()) is True
    assert by_aio(served, lambda client: client.is_server_ready()) is True


def test_server_that_is_not_ready(unready: Server) -> None:
    """A model that breaks its promise is enough; the process is live."""
    with InferenceServerClient(f"127.0.0.1:{unready.port}") as client:
        assert client.is_server_live() is True
        assert client.is_server_ready() is False
        assert client.is_model_ready("colors") is True
        assert client.is_model_ready("bad") is False
        with pytest.raises(InferenceServerException) as caught:
            client.get_model_metadata("bad")
        assert refused(caught) == (
            "503",
            "The model 'bad' was refused: bad/1/CARD.md: is missing.",
        )
        index = client.get_model_repository_index()
        assert index[0]["state"] == "UNAVAILABLE"
        assert index[0]["reason"] == "bad/1/CARD.md: is missing"


@pytest.mark.parametrize(
    ("asked", "ready"),
    [
        (("colors",), True),
        (("colors", "1"), True),
        (("colors", "3"), False),
        (("colors", "first"), False),
        (("colours",), False),
        (("a name/with what nobody has?",), False),
    ],
)
def test_model_ready(
    triton: InferenceServerClient, served: Server, asked: tuple[str, ...], ready: bool
) -> None:
    """For every model and version, of those too that do not exist."""
    assert triton.is_model_ready(*asked, headers=KEY) is ready
    assert by_aio(served, lambda client: client.is_model_ready(*asked, headers=KEY)) is ready


def test_server_metadata(triton: InferenceServerClient, served: Server) -> None:
    """Name, version, extensions."""
    told = triton.get_server_metadata(headers=KEY)
    assert (told["name"], told["version"]) == ("convscope", VERSION)
    assert "statistics" in told["extensions"]
    assert by_aio(served, lambda client: client.get_server_metadata(headers=KEY)) == told


def test_model_metadata_and_configuration(triton: InferenceServerClient, served: Server) -> None:
    """Of a model and of a version; both describe the same tensors."""
    metadata = triton.get_model_metadata("paint", headers=KEY)
    assert triton.get_model_metadata("paint", "1", headers=KEY) == metadata
    config = triton.get_model_config("paint", headers=KEY)
    assert triton.get_model_config("paint", "1", headers=KEY) == config
    for ends, tensors in (("inputs", "input"), ("outputs", "output")):
        assert [
            {
                "name": tensor["name"],
                "data_type": f"TYPE_{tensor['datatype']}",
                "dims": tensor["shape"][1:],
            }
            for tensor in metadata[ends]
        ] == config[tensors]
    assert by_aio(served, lambda c: c.get_model_metadata("paint", headers=KEY)) == metadata
    assert by_aio(served, lambda c: c.get_model_config("paint", "1", headers=KEY)) == config


def test_repository_index(triton: InferenceServerClient, served: Server) -> None:
    """The clients send an empty body, with and without a content type."""
    index = triton.get_model_repository_index(headers=KEY)
    assert {"name": "colors", "version": "2", "state": "READY"} in index
    assert len(index) == 6
    aio = by_aio(served, lambda client: client.get_model_repository_index(headers=KEY))
    assert aio == index


def test_unload_and_load(triton: InferenceServerClient, served: Server) -> None:
    """What is unloaded is not ready, until it is loaded again."""
    triton.unload_model("spare", headers=ADMIN)
    assert triton.is_model_ready("spare", headers=KEY) is False
    by_aio(served, lambda client: client.load_model("spare", headers=ADMIN))
    assert triton.is_model_ready("spare", headers=KEY) is True
    by_aio(
        served,
        lambda client: client.unload_model("spare", headers=ADMIN, unload_dependents=True),
    )
    assert triton.is_model_ready("spare", headers=KEY) is False
    triton.load_model("spare", headers=ADMIN)
    assert triton.is_model_ready("spare", headers=KEY) is True


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ({"config": '{"max_batch_size": 1}'}, "config"),
        ({"config": "{}", "files": {"file:1/model.onnx": b"graph"}}, "config, file:1/model.onnx"),
    ],
)
def test_loading_something_else_is_refused(
    triton: InferenceServerClient, how: dict[str, Any], named: str
) -> None:
    """A model is loaded as it lies in the repository, and goes on being served."""
    with pytest.raises(InferenceServerException) as caught:
        triton.load_model("spare", headers=ADMIN, **how)
    status, sentence = refused(caught)
    assert status == "422"
    assert sentence.startswith(f"Loading takes no parameters ({named}): ")
    assert triton.is_model_ready("spare", headers=KEY) is True


def test_statistics(triton: InferenceServerClient, served: Server) -> None:
    """Of all models, of one, of a version; a picture by another route counts."""
    before = triton.get_inference_statistics("colors", "2", headers=KEY)["model_stats"][0]
    answer = httpx.post(f"{served.url}/v1/models/colors/classify", content=flat("red"), headers=KEY)
    assert answer.status_code == 200
    (after,) = triton.get_inference_statistics("colors", "2", headers=KEY)["model_stats"]
    assert after["inference_count"] == before["inference_count"] + 1
    assert after["last_inference"] > before["last_inference"]
    of_model = triton.get_inference_statistics("colors", headers=KEY)["model_stats"]
    assert of_model[1] == after
    of_all = triton.get_inference_statistics(headers=KEY)["model_stats"]
    assert of_model == [each for each in of_all if each["name"] == "colors"]
    aio = by_aio(served, lambda client: client.get_inference_statistics("colors", headers=KEY))
    assert aio["model_stats"] == of_model


ASKED_OF_A_MODEL: list[Callable[..., Any]] = [
    InferenceServerClient.get_model_metadata,
    InferenceServerClient.get_model_config,
    InferenceServerClient.get_inference_statistics,
]


@pytest.mark.parametrize("call", ASKED_OF_A_MODEL)
def test_what_is_not_there_raises(triton: InferenceServerClient, call: Callable[..., Any]) -> None:
    """The exception has our status and our sentence."""
    with pytest.raises(InferenceServerException) as caught:
        call(triton, "color", headers=KEY)
    assert refused(caught) == ("404", "There is no model 'color'. Did you mean 'colors'?")
    with pytest.raises(InferenceServerException) as caught:
        call(triton, "colors", "7", headers=KEY)
    assert refused(caught) == ("404", "There is no version '7'.")


@pytest.mark.parametrize("verb", ["load_model", "unload_model"])
def test_changing_what_is_not_there_raises(triton: InferenceServerClient, verb: str) -> None:
    """As for every other question."""
    with pytest.raises(InferenceServerException) as caught:
        getattr(triton, verb)("color", headers=ADMIN)
    assert refused(caught) == ("404", "There is no model 'color'. Did you mean 'colors'?")


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.get_server_metadata(),
        lambda client: client.get_model_metadata("colors"),
        lambda client: client.get_model_config("colors"),
        lambda client: client.get_inference_statistics(),
        lambda client: client.get_model_repository_index(),
        lambda client: client.load_model("spare"),
        lambda client: client.unload_model("spare"),
        lambda client: client.get_log_settings(),
    ],
)
def test_missing_key_raises(
    triton: InferenceServerClient, served: Server, call: Callable[[Any], Any]
) -> None:
    """401 with how to do better, for both clients."""
    with pytest.raises(InferenceServerException) as caught:
        call(triton)
    status, sentence = refused(caught)
    assert status == "401"
    assert sentence.startswith("This needs a key")
    with pytest.raises(InferenceServerException) as caught:
        by_aio(served, call)
    assert refused(caught) == (status, sentence)
    assert triton.is_model_ready("colors") is False


@pytest.mark.parametrize("verb", ["load_model", "unload_model"])
def test_ordinary_key_does_not_change_models(triton: InferenceServerClient, verb: str) -> None:
    """403."""
    with pytest.raises(InferenceServerException) as caught:
        getattr(triton, verb)("spare", headers=KEY)
    assert refused(caught) == ("403", "This needs an admin key.")


def test_key_may_come_as_a_bearer(triton: InferenceServerClient) -> None:
    """The client sends what headers it is given, and what its plugin adds."""
    bearer = {"Authorization": f"Bearer {KEY['x-api-key']}"}
    assert triton.is_model_ready("colors", headers=bearer) is True
    triton.register_plugin(BasicAuth("nobody", "knows"))
    try:
        assert triton.is_model_ready("colors") is False
        assert triton.is_model_ready("colors", headers=dict(KEY)) is True
    finally:
        triton.unregister_plugin()


TRACE = "The trace extension is not offered: the operator has traces sent with --tracing."
LOGGING = "The logging extension is not offered: the operator sets --log-level and --log-format."
MEMORY = "Shared memory is not offered: send tensors in the body, as JSON or binary."


@pytest.mark.parametrize(
    ("sentence", "name", "arguments"),
    [
        (TRACE, "get_trace_settings", ()),
        (TRACE, "get_trace_settings", ("colors",)),
        (TRACE, "update_trace_settings", ("colors", {"trace_rate": "1"})),
        (TRACE, "update_trace_settings", (None, {"trace_rate": "1"})),
        (LOGGING, "get_log_settings", ()),
        (LOGGING, "update_log_settings", ({"log_verbose_level": 1},)),
        (MEMORY, "get_system_shared_memory_status", ()),
        (MEMORY, "get_system_shared_memory_status", ("region",)),
        (MEMORY, "register_system_shared_memory", ("region", "/key", 16)),
        (MEMORY, "unregister_system_shared_memory", ()),
        (MEMORY, "unregister_system_shared_memory", ("region",)),
        (MEMORY, "get_cuda_shared_memory_status", ()),
        (MEMORY, "get_cuda_shared_memory_status", ("region",)),
        (MEMORY, "register_cuda_shared_memory", ("region", "aGFuZGxl", 0, 16)),
        (MEMORY, "unregister_cuda_shared_memory", ()),
        (MEMORY, "unregister_cuda_shared_memory", ("region",)),
    ],
)
def test_what_is_not_offered_raises(
    triton: InferenceServerClient,
    served: Server,
    sentence: str,
    name: str,
    arguments: tuple[Any, ...],
) -> None:
    """404 and what to do instead, for both clients."""
    with pytest.raises(InferenceServerException) as caught:
        getattr(triton, name)(*arguments, headers=KEY)
    assert refused(caught) == ("404", sentence)
    with pytest.raises(InferenceServerException) as caught:
        by_aio(served, lambda client: getattr(client, name)(*arguments, headers=KEY))
    assert refused(caught) == ("404", sentence)


def test_every_call_of_the_client_is_tried() -> None:
    """A new one of the client's must find its answer here or in the tests of infer."""
    source = Path(__file__).read_text()
    calls = {name for name in vars(InferenceServerClient) if not name.startswith("_")}
    calls -= {"close", "infer", "async_infer", "generate_request_body", "parse_response_body"}
    assert len(calls) >= 20
    assert not [name for name in calls if name not in source]
