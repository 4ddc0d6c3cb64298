"""huggingface_hub's own clients, unmodified, against a running server."""

import asyncio
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import BadRequestError, HfHubHTTPError

from service.codecs.image import encode_png
from tests.api.real_server import Server, start, stop
from tests.pictures import flat
from tests.sounds import stored, tone
from tests.tiny_models import write_listener, write_model, write_segmenter

# The asynchronous client calls its HTTP library in a way that this is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
KEY = "hf_key-of-this-test"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a model for each task that these clients know, and a lock."""
    root = tmp_path_factory.mktemp("models")
    for write in (write_model, write_segmenter, write_listener):
        write(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVSCOPE_API_KEYS", KEY)
        server = start(root, "--max-body-bytes", "1000000")
    yield server
    assert stop(server) == 0


Ask = Callable[..., Any]


@pytest.fixture(params=["sync", "async"])
def ask(server: Server, request: pytest.FixtureRequest) -> Ask:
    """Ask a client for a task of a model, the one or the other kind of client."""

    def ask_it(name: str, task: str, file: Any, token: str = KEY, **parameters: Any) -> Any:
        how: dict[str, Any] = {"model": f"{server.url}/hf/{name}", "token": token, "timeout": 20}
        if request.param == "sync":
            return getattr(InferenceClient(**how), task)(file, **parameters)

        async def awaited() -> Any:
            async with AsyncInferenceClient(**how) as client:
                return await getattr(client, task)(file, **parameters)

        return asyncio.run(awaited())

    return ask_it


def posted(server: Server, path: str, content: bytes, accept: str = "*/*") -> httpx.Response:
    headers = {"x-api-key": KEY, "accept": accept}
    return httpx.post(server.url + path, content=content, headers=headers)


def test_pictures_are_classified(ask: Ask, server: Server, tmp_path: Path) -> None:
    """As bytes, a path or its text, with and without parameters: the numbers of /v1."""
    file = tmp_path / "blue.jpg"
    file.write_bytes(flat("blue"))
    told = posted(server, "/v1/models/colors/classify", file.read_bytes()).json()["predictions"]
    expected = [(each["label"], each["probability"]) for each in told]
    for sent in (file.read_bytes(), file, str(file)):
        answer = ask("colors", "image_classification", sent)
        assert [(each.label, each.score) for each in answer] == expected
    (best,) = ask("colors", "image_classification", file, top_k=1, function_to_apply="softmax")
    assert (best.label, best.score) == expected[0]


def test_pictures_are_segmented(ask: Ask, server: Server) -> None:
    """The client opens every mask as a picture, and together they are the mask of /v1."""
    picture = encode_png(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
    mask = np.load(
        io.BytesIO(posted(server, "/v1/models/paint/segment", picture, "application/x-npy").content)
    )
    for parameters in ({}, {"threshold": 0.0, "subtask": "semantic"}):
        answer = ask("paint", "image_segmentation", picture, **parameters)
        assert len(answer) == len(np.unique(mask))
        for each in answer:
            index = ("red", "green", "blue").index(each.label)
            np.testing.assert_array_equal(np.asarray(each.mask), (mask == index) * 255)
            assert 1 / 3 < each.score <= 1
    assert ask("paint", "image_segmentation", picture, threshold=1.0) == []


def test_sounds_are_classified(ask: Ask, server: Server, tmp_path: Path) -> None:
    """A FLAC by its path, with and without parameters: the numbers of /v1."""
    file = tmp_path / "loud.flac"
    file.write_bytes(stored(tone(2, 0.63), kind="FLAC"))
    told = posted(server, "/v1/models/loudness/classify", file.read_bytes()).json()["predictions"]
    answer = ask("loudness", "audio_classification", file)
    assert [(each.label, each.score) for each in answer] == [
        (each["label"], each["probability"]) for each in told
    ]
    (best,) = ask("loudness", "audio_classification", file, top_k=1, function_to_apply="none")
    assert best.label == "loud"


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (("colours", "image_classification", b"x"), HfHubHTTPError, "Did you mean 'colors'"),
        (("colors", "image_classification", b"text"), HfHubHTTPError, "format"),
        (("colors", "image_classification", b""), BadRequestError, "empty"),
        (("colors", "image_classification", bytes(2_000_000)), HfHubHTTPError, "1,000,000"),
        (("colors", "text_classification", "so good"), HfHubHTTPError, "base64"),
    ],
)
def test_client_shows_what_is_wrong(
    ask: Ask, call: tuple[Any, ...], kind: type[Exception], sentence: str
) -> None:
    """The server's sentence is in the client's exception."""
    with pytest.raises(kind, match=sentence):
        ask(*call)


def test_parameters_of_other_tasks_are_refused(ask: Ask) -> None:
    """A task that no model does is told by its parameters, where it has some."""
    for name, task, parameters in (
        ("colors", "object_detection", {"threshold": 0.5}),
        ("colors", "zero_shot_image_classification", {"candidate_labels": ["a", "b"]}),
        ("paint", "image_segmentation", {"subtask": "instance"}),
    ):
        with pytest.raises(HfHubHTTPError, match="422"):
            ask(name, task, flat("red"), **parameters)


def test_captions_cannot_be_told_from_classes(ask: Ask) -> None:
    """The client sends the same for both, so that a classifier answers with its classes."""
    answer = ask("colors", "image_to_text", flat("red"))
    assert (answer.generated_text, answer["label"]) == (None, "red")


def test_token_is_the_key(ask: Ask) -> None:
    """The client's token is checked as any other key."""
    with pytest.raises(HfHubHTTPError, match="401"):
        ask("colors", "image_classification", flat("red"), token="hf_somebody_elses")


def test_health_and_info_are_answered(server: Server) -> None:
    """What the client asks about an endpoint of its own."""
    url = f"{server.url}/hf/colors"
    client = InferenceClient(url, provider="hf-inference", token=KEY)
    assert client.health_check()
    assert client.get_endpoint_info()["task"] == "image-classification"
    assert not client.health_check(f"{server.url}/hf/colours")
