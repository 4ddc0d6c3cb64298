"""Both clients against a running server, held against what the server says to others."""

import asyncio
import dataclasses
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from service.client import (
    AsyncClient,
    Classification,
    Client,
    InvalidRequest,
    KeyNeeded,
    NotFound,
    Segmentation,
    UnexpectedAnswer,
)
from service.codecs.image import encode_png
from tests.api.real_server import Server, start, stop
from tests.client.conftest import Ask
from tests.pictures import flat
from tests.sounds import stored, tone
from tests.tiny_models import (
    write_listener,
    write_measurer,
    write_model,
    write_segmenter,
    write_spans,
)

KEY = "a-key-for-the-tests-of-clients"
PICTURE = encode_png(np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8))
SOUND = stored(np.concatenate([tone(1, 0.03), np.zeros(8000, np.float32), tone(1.75, 0.63)]))
# The method, its arguments behind the file, and the route with its query.
FIGURES: list[tuple[str, bytes, dict[str, Any], str]] = [
    ("classify", PICTURE, {"model": "colors", "top_k": 2}, "models/colors/classify?top_k=2"),
    ("classify", PICTURE, {}, "classify"),
    ("classify", SOUND, {"model": "loudness", "version": 1}, "models/loudness/classify?version=1"),
    ("segment", PICTURE, {"model": "paint", "min_area": 9}, "models/paint/segment?min_area=9"),
    ("segment_sound", SOUND, {"model": "pauses"}, "models/pauses/segment"),
    ("measure", SOUND, {"model": "meter"}, "models/meter/measure"),
    (
        "explain",
        PICTURE,
        {"model": "colors", "class_index": 1},
        "models/colors/explain?class_index=1",
    ),
    (
        "explain",
        SOUND,
        {"model": "loudness", "method": "occlusion"},
        "models/loudness/explain?method=occlusion",
    ),
    (
        "stability",
        PICTURE,
        {"model": "colors", "transform": "shift"},
        "models/colors/stability?transform=shift",
    ),
]
ARRAYS: list[tuple[str, bytes, dict[str, Any], str]] = [
    ("embed", PICTURE, {"model": "colors", "layer": "conv"}, "models/colors/embed?layer=conv"),
    (
        "embed",
        PICTURE,
        {"model": "paint", "layer": "conv", "pool": "none"},
        "models/paint/embed?layer=conv&pool=none",
    ),
    (
        "feature_maps",
        PICTURE,
        {"model": "colors", "layer": "conv", "channels": [0, 2]},
        "models/colors/feature-maps?layer=conv&channels=0,2",
    ),
    (
        "feature_maps",
        SOUND,
        {"model": "loudness", "layer": "conv", "start_s": 0.5},
        "models/loudness/feature-maps?layer=conv&start_s=0.5",
    ),
    (
        "explain_map",
        PICTURE,
        {"model": "colors", "method": "occlusion"},
        "models/colors/explain?method=occlusion",
    ),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with a model for each task."""
    root = tmp_path_factory.mktemp("models")
    for write in (write_model, write_segmenter, write_listener, write_spans, write_measurer):
        write(root)
    server = start(root)
    yield server.url
    assert stop(server) == 0


def without_timing(told: Any) -> Any:
    """Return the JSON as plain lists and dictionaries, without what differs from run to run."""
    if isinstance(told, dict):
        # what the client does not know is not there, and what the server leaves out is None
        kept = {k: without_timing(v) for k, v in told.items() if k != "timing"}
        return {k: v for k, v in kept.items() if v not in (None, [], False)}
    if isinstance(told, list | tuple):
        return [without_timing(each) for each in told]
    return told


@pytest.mark.parametrize(("method", "file", "how", "path"), FIGURES)
def test_results_are_the_servers_json(
    ask: Ask, url: str, method: str, file: bytes, how: dict[str, Any], path: str
) -> None:
    """Every field has the name and the value that others get."""
    headers = {"accept": "application/json"}
    told = httpx.post(f"{url}/v1/{path}", content=file, headers=headers).json()
    result = ask(url, method, file, **how)
    assert without_timing(dataclasses.asdict(result)) == without_timing(told)
    assert result.timing.total_ms >= result.timing.compute_ms > 0


@pytest.mark.parametrize(("method", "file", "how", "path"), ARRAYS)
def test_arrays_are_the_servers(
    ask: Ask, url: str, method: str, file: bytes, how: dict[str, Any], path: str
) -> None:
    """float32, value by value what others get."""
    headers = {"accept": "application/x-npy"}
    told = httpx.post(f"{url}/v1/{path}", content=file, headers=headers)
    array = ask(url, method, file, **how)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, np.load(io.BytesIO(told.content)))


def test_kernels_are_the_servers(ask: Ask, url: str) -> None:
    """The filters of the first convolution, which is the identity in this net."""
    np.testing.assert_array_equal(ask(url, "kernels", "colors")[:, :, 0, 0], np.eye(3))
    assert ask(url, "kernels", "colors", "conv", channels=[1]).shape == (1, 3, 1, 1)


def test_mask_is_the_servers(ask: Ask, url: str) -> None:
    """The run lengths of all classes together are the array that others get."""
    headers = {"accept": "application/x-npy"}
    told = httpx.post(f"{url}/v1/models/paint/segment", content=PICTURE, headers=headers)
    found: Segmentation = ask(url, "segment", PICTURE, "paint")
    np.testing.assert_array_equal(found.mask, np.load(io.BytesIO(told.content)))
    assert found.mask.dtype == np.uint8
    for each in found.classes:
        assert each.mask.sum() == each.pixels


def test_files_come_in_many_forms(ask: Ask, url: str, tmp_path: Path) -> None:
    """A path, its text, bytes, an open file, and pixels are one picture."""
    path = tmp_path / "blue.png"
    path.write_bytes(flat("blue", "PNG"))
    pixels = np.zeros((30, 40, 3), np.uint8)
    pixels[:, :, 2] = 255
    for file in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), pixels):
        best = ask(url, "classify", file, "colors").predictions[0]
        assert best.label == "blue"


@pytest.mark.parametrize(
    ("method", "model", "files"),
    [
        ("classify_all", "colors", [PICTURE, b"text", flat("red")]),
        ("classify_all", None, [SOUND, b"", PICTURE]),
        ("segment_all", "paint", [PICTURE, b"text", flat("red")]),
        ("segment_sounds", "pauses", [SOUND, PICTURE]),
        ("measure_all", "meter", [SOUND, b"text"]),
        ("embed_all", "colors", [PICTURE, b"text", flat("red")]),
    ],
)
def test_one_bad_file_never_spoils_the_others(
    ask: Ask, url: str, method: str, model: str | None, files: list[bytes]
) -> None:
    """Each file has what it has alone: a result, or what is wrong with it."""
    single = method.removesuffix("_all").removesuffix("s")
    results = ask(url, method, files, model)
    assert len(results) == len(files)
    for file, result in zip(files, results, strict=True):
        alone = _outcome(ask, url, single, file, model)
        assert _comparable(result) == _comparable(alone)
        assert _comparable(ask(url, method, [file], model)[0]) == _comparable(alone)
    refused = [result for result in results if isinstance(result, InvalidRequest)]
    assert 0 < len(refused) < len(files)


def _outcome(ask: Ask, *question: Any) -> Any:
    try:
        return ask(*question)
    except InvalidRequest as error:
        return error


def _comparable(result: Any) -> Any:
    if isinstance(result, np.ndarray):
        return result.tolist()
    if isinstance(result, InvalidRequest):
        return result.problem.type, result.problem.detail
    return without_timing(dataclasses.asdict(result))


def test_no_files_have_no_results(ask: Ask) -> None:
    """And nobody is asked."""
    assert ask("http://127.0.0.1:9", "classify_all", [], "colors") == []


def test_catalog_is_read(ask: Ask, url: str) -> None:
    """What is served, whether it is ready, and what is inside."""
    models = ask(url, "models")
    assert [model.name for model in models] == ["colors", "loudness", "meter", "paint", "pauses"]
    assert ask(url, "model", "meter") == models[2]
    (version,) = models[0].versions
    assert (version.state, version.task) == ("ready", "image-classification")
    assert version.labels == ("red", "green", "blue")
    assert version.input["shape"][1:] == [8, 8, 3]
    readiness = ask(url, "ready")
    assert readiness.ready
    assert {state.name for state in readiness.models} == {model.name for model in models}
    told = httpx.get(f"{url}/v1/models/colors/layers").json()
    layers = ask(url, "layers", "colors")
    assert without_timing(dataclasses.asdict(layers)) == without_timing(told)


def test_server_that_is_not_ready_says_why(ask: Ask, tmp_path: Path) -> None:
    """That is an answer, and nothing is raised or asked again."""
    write_model(tmp_path)
    (write_model(tmp_path, "bad") / "CARD.md").unlink()
    server = start(tmp_path)
    try:
        readiness = ask(server.url, "ready")
    finally:
        stop(server)
    assert not readiness.ready
    assert "bad/1/CARD.md" in readiness.detail
    assert {(state.name, state.state) for state in readiness.models} == {
        ("colors", "ready"),
        ("bad", "refused"),
    }


def test_errors_tell_what_the_server_told(ask: Ask, url: str) -> None:
    """Status, sentence, the request's id, and the nearest names."""
    with pytest.raises(NotFound, match="no model 'colours'") as found:
        ask(url, "classify", PICTURE, "colours")
    assert (found.value.status, found.value.nearest[0]) == (404, "colors")
    assert len(found.value.request_id or "") == 32
    with pytest.raises(InvalidRequest) as invalid:
        ask(url, "classify", PICTURE, "colors", top_k=0)
    (parameter,) = invalid.value.problem.errors
    assert parameter.parameter == "top_k"
    with pytest.raises(NotFound, match="'conv'"):
        ask(url, "feature_maps", PICTURE, "colors", "cnv")
    with pytest.raises(NotFound):
        ask(url, "model", "a/b c%?#")


def test_wrong_kind_of_segmentation_is_told(ask: Ask, url: str) -> None:
    """What a model of sounds answers is no mask of a picture."""
    with pytest.raises(UnexpectedAnswer, match="no Segmentation: it has no 'height'"):
        ask(url, "segment", SOUND, "pauses")


def test_threads_share_a_client(url: str) -> None:
    """Everybody gets the answer to their own picture, over connections that are kept."""
    colors = ["red", "green", "blue"] * 10
    with Client(url) as client, ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda color: client.classify(flat(color), "colors"), colors)
        found = [answer.predictions[0].label for answer in answers]
    assert found == colors


def test_tasks_share_a_client(url: str) -> None:
    """The same, awaited together."""
    colors = ["red", "green", "blue"] * 10

    async def ask_all() -> list[Classification]:
        async with AsyncClient(url) as client:
            return await asyncio.gather(*(client.classify(flat(c), "colors") for c in colors))

    found = [answer.predictions[0].label for answer in asyncio.run(ask_all())]
    assert found == colors


def test_key_opens(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes with every request, and is in no text that anybody reads."""
    write_model(tmp_path)
    monkeypatch.setenv("CONVSCOPE_API_KEYS", KEY)
    server: Server = start(tmp_path)
    try:
        found = ask(server.url, "classify", PICTURE, "colors", client={"api_key": KEY})
        assert found.model.name == "colors"
        for wrong in (None, "not-the-key-of-this-server"):
            with pytest.raises(KeyNeeded) as refused:
                ask(server.url, "models", client={"api_key": wrong})
            assert refused.value.status == 401
            assert "not-the-key" not in f"{refused.value!r} {refused.value}"
    finally:
        stop(server)
    assert KEY not in repr(Client(server.url, api_key=KEY))
