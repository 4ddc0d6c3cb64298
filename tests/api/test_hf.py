"""The task URL of Hugging Face, in this process: bodies, parameters and refusals."""

import base64
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service.codecs.image import encode_png
from service.settings import Settings
from tests.api.client import Client
from tests.pictures import flat
from tests.sounds import stored, tone
from tests.tiny_models import (
    write_listener,
    write_measurer,
    write_model,
    write_segmenter,
    write_spans,
)

BLUE = flat("blue")
TOKEN = "hf_token-that-nobody-may-see"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a server with a model for each task."""
    root = tmp_path_factory.mktemp("models")
    write_model(root)
    write_model(root, version=2, sharpness=1)
    for write in (write_segmenter, write_listener, write_spans, write_measurer):
        write(root)
    limits: dict[str, Any] = {"max_body_bytes": 8_000_000, "max_pixels": 1_000_000}
    with Client(Settings(models_dir=root, device="cpu", threads=2, **limits)) as client:
        yield client


def in_json(file: bytes, **more: Any) -> bytes:
    return json.dumps({"inputs": base64.b64encode(file).decode(), **more}).encode()


def refused(answer: httpx.Response, status: int) -> str:
    """Return the sentence of an answer that has the clients' shape, and that status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert list(told) == ["error"]
    return str(told["error"])


@pytest.mark.parametrize(
    "content_type", [None, "application/json", "image/jpeg", "application/x-www-form-urlencoded"]
)
@pytest.mark.parametrize("body", [BLUE, in_json(BLUE), b" \r\n\t" + in_json(BLUE)])
def test_content_tells_a_file_from_json(
    client: Client, content_type: str | None, body: bytes
) -> None:
    """Bytes called JSON are a picture, and JSON called a picture is JSON, as curl sends them."""
    headers = {"content-type": content_type} if content_type else {}
    answer = client.post("/hf/colors", content=body, headers=headers)
    assert answer.status_code == 200
    assert answer.json()[0]["label"] == "blue"


def test_multipart_form_works(client: Client) -> None:
    """curl -F file=@picture.jpg is answered as everywhere, and two files are refused."""
    assert client.post("/hf/colors", files={"file": BLUE}).json()[0]["label"] == "blue"
    two = [("file", BLUE), ("file", BLUE)]
    assert "One file" in refused(client.post("/hf/colors", files=two), 422)


def test_classes_are_those_of_v1(client: Client) -> None:
    """The same labels and the very same numbers, with all ways to send the picture."""
    told = client.post("/v1/models/colors/classify", content=BLUE).json()["predictions"]
    expected = [{"label": each["label"], "score": each["probability"]} for each in told]
    for body in (BLUE, in_json(BLUE), in_json(BLUE, parameters={"function_to_apply": "softmax"})):
        assert client.post("/hf/colors", content=body).json() == expected


def test_version_is_pinned_by_the_query(client: Client) -> None:
    """Without one the highest answers."""
    scores = {
        path: client.post(path, content=BLUE).json()[0]["score"]
        for path in ("/hf/colors", "/hf/colors?version=1", "/hf/colors?version=2")
    }
    assert scores["/hf/colors"] == scores["/hf/colors?version=2"] < scores["/hf/colors?version=1"]
    refused(client.post("/hf/colors?version=3", content=BLUE), 404)


@pytest.mark.parametrize("top_k", [1, 2, 3, 1000])
def test_top_k_classes_are_told(client: Client, top_k: int) -> None:
    """As many as asked for, or all there are."""
    told = client.post("/hf/colors", content=in_json(BLUE, parameters={"top_k": top_k})).json()
    assert len(told) == min(top_k, 3)


def test_nulls_and_options_change_nothing(client: Client) -> None:
    """Clients send null for what is not set, and options for servers that load models lazily."""
    more = {"parameters": {"top_k": None}, "options": {"wait_for_model": True}}
    plain = client.post("/hf/colors", content=BLUE).json()
    assert client.post("/hf/colors", content=in_json(BLUE, **more)).json() == plain
    assert client.post("/hf/colors", content=in_json(BLUE, parameters=None)).json() == plain


def test_base64_comes_in_many_dresses(client: Client) -> None:
    """Line breaks of the base64 command and the prefix of a data URI are taken off."""
    plain = client.post("/hf/colors", content=BLUE).json()
    lines = base64.encodebytes(BLUE).decode()
    for inputs in (lines, f"data:image/jpeg;base64,{lines}", f"DATA:;BASE64,{lines.strip()}"):
        body = json.dumps({"inputs": inputs})
        assert client.post("/hf/colors", content=body).json() == plain


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"", 400, "empty"),
        (b"{", 400, "malformed"),
        (b'{"inputs": "\xff"}', 400, "malformed"),
        (b"[" * 5000 + b"]" * 5000, 400, "malformed"),
        (b'{"inputs": NaN}', 400, "malformed"),
        (b"[]", 422, "object"),
        (b"{}", 422, "'inputs'"),
        (b'{"inputs": ["", ""]}', 422, "'inputs'"),
        (b'{"inputs": {"image": ""}}', 422, "'inputs'"),
        (b'{"inputs": ""}', 400, "empty"),
        (b'{"inputs": "abc"}', 422, "base64"),
        (b'{"inputs": "a=bc"}', 422, "base64"),
        (b'{"inputs": "\\u00e4"}', 422, "base64"),
        (b'{"inputs": "data:image/png,raw"}', 422, "base64"),
        (b'{"inputs": "aGVsbG8="}', 415, "format"),
        (b'{"inputs": "http://example.org/cat.jpg"}', 422, "address"),
        (b'{"inputs": "", "image": ""}', 422, "'image'"),
        (b'{"inputs": "", "parameters": []}', 422, "'parameters'"),
        (b'{"inputs": "", "options": [' + b"0," * 1001 + b"0]}", 422, "more than 1,000 commas"),
        (b'{"parameters": {' + b'"":0,' * 1001 + b'"":0}}', 422, "more than 1,000 commas"),
        (b"text", 415, "format"),
        (BLUE[:200], 422, "broken"),
        (in_json(BLUE[:200]), 422, "broken"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(
    client: Client, body: bytes, status: int, sentence: str
) -> None:
    """Whatever comes, the clients read what is wrong with it."""
    assert sentence in refused(client.post("/hf/colors", content=body), status)


@pytest.mark.parametrize(
    ("name", "parameters", "sentence"),
    [
        ("colors", {"top_k": 0}, "top_k"),
        ("colors", {"top_k": "2"}, "top_k"),
        ("colors", {"top_k": True}, "top_k"),
        ("colors", {"top_k": 10**40}, "top_k"),
        ("colors", {"function_to_apply": "sigmoid"}, "ends in probabilities"),
        ("colors", {"function_to_apply": "none"}, "ends in probabilities"),
        ("colors", {"function_to_apply": "relu"}, "function_to_apply"),
        ("colors", {"candidate_labels": ["cat"]}, "'candidate_labels' (top_k, function_to_apply"),
        ("paint", {"subtask": "panoptic"}, "subtask='panoptic'"),
        ("paint", {"subtask": "other"}, "subtask"),
        ("paint", {"threshold": 1.5}, "threshold"),
        ("paint", {"mask_threshold": -1}, "mask_threshold"),
        ("paint", {"overlap_mask_area_threshold": 0.5}, "never overlap"),
        ("loudness", {"threshold": 0.5}, "'threshold'"),
    ],
)
def test_parameters_that_cannot_be_followed_are_refused(
    client: Client, name: str, parameters: dict[str, Any], sentence: str
) -> None:
    """None is ignored: the answer would be another than was asked for."""
    file = stored(tone(1)) if name == "loudness" else BLUE
    answer = client.post(f"/hf/{name}", content=in_json(file, parameters=parameters))
    assert sentence in refused(answer, 422)


def test_masks_are_those_of_v1(client: Client) -> None:
    """A black and white PNG of the picture's size for every class that is there."""
    colours = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
    picture = encode_png(colours)
    mask = client.post(
        "/v1/models/paint/segment", content=picture, headers={"accept": "application/x-npy"}
    )
    expected = np.load(io.BytesIO(mask.content))
    told = client.post("/hf/paint", content=picture).json()
    labels = ["red", "green", "blue"]
    assert sorted(labels.index(each["label"]) for each in told) == np.unique(expected).tolist()
    for each in told:
        image = Image.open(io.BytesIO(base64.b64decode(each["mask"])))
        assert (image.mode, image.size) == ("L", (50, 30))
        inside = expected == labels.index(each["label"])
        np.testing.assert_array_equal(np.asarray(image), inside * 255)
        asked = {"render": "probability", "class_index": labels.index(each["label"])}
        shown = client.post(
            "/v1/models/paint/segment",
            params=asked,
            content=picture,
            headers={"accept": "application/x-npy"},
        )
        probability = np.load(io.BytesIO(shown.content))
        assert each["score"] == pytest.approx(probability[inside].mean(), rel=1e-5)


def test_threshold_leaves_masks_out(client: Client) -> None:
    """A pure picture keeps its mask, and none is left above certainty."""
    for threshold, count in ((0.5, 1), (1, 0)):
        body = in_json(flat("red", "PNG"), parameters={"threshold": threshold, "subtask": None})
        answer = client.post("/hf/paint", content=body)
        assert len(answer.json()) == count


def test_sounds_are_classified_as_in_v1(client: Client) -> None:
    """The aggregate over the windows; of its logits any function can be had."""
    sound = stored(np.concatenate([tone(1, 0.03), tone(1.75, 0.63)]))
    told = client.post("/v1/models/loudness/classify", content=sound).json()["predictions"]
    expected = [{"label": each["label"], "score": each["probability"]} for each in told]
    assert client.post("/hf/loudness", content=sound).json() == expected

    def scores(function: str) -> dict[str, float]:
        body = in_json(sound, parameters={"function_to_apply": function})
        answer = client.post("/hf/loudness", content=body)
        return {each["label"]: each["score"] for each in answer.json()}

    logits = scores("none")
    powers = {label: np.exp(logit) for label, logit in logits.items()}
    for label, score in scores("softmax").items():
        assert score == pytest.approx(powers[label] / sum(powers.values()), rel=1e-6)
    for label, score in scores("sigmoid").items():
        assert score == pytest.approx(powers[label] / (1 + powers[label]), rel=1e-6)


def test_silence_is_refused_as_in_v1(client: Client) -> None:
    """There is nothing to classify in it."""
    told = refused(client.post("/hf/loudness", content=stored(np.zeros(8000))), 422)
    assert (
        told
        == client.post("/v1/models/loudness/classify", content=stored(np.zeros(8000))).json()[
            "detail"
        ]
    )


@pytest.mark.parametrize(("name", "verb"), [("pauses", "segment"), ("meter", "measure")])
def test_tasks_that_clients_do_not_know_are_refused(client: Client, name: str, verb: str) -> None:
    """The sentence names the route that answers, and the body is not even read."""
    told = refused(client.post(f"/hf/{name}", content=stored(tone(1))), 422)
    assert f"/v1/models/{name}/{verb}" in told


def test_unknown_model_is_told_with_its_neighbour(client: Client) -> None:
    """A slip of the pen is easy to put right."""
    assert "'colors'" in refused(client.post("/hf/colours", content=BLUE), 404)
    refused(client.get("/hf/colors"), 405)


def test_body_over_the_limit_is_refused(client: Client) -> None:
    """The limit is on what is sent, base64 included."""
    assert "8,000,000" in refused(client.post("/hf/colors", content=bytes(8_000_001)), 413)


def test_large_json_is_read_beside_the_event_loop(client: Client) -> None:
    """A picture of some megabytes in base64 is answered like a small one."""
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3), np.uint8)
    picture = encode_png(noise)
    body = in_json(picture)
    assert len(body) > 2**20
    assert client.post("/hf/colors", content=body).json() == (
        client.post("/hf/colors", content=picture).json()
    )
    assert "malformed" in refused(client.post("/hf/colors", content=body[:-1]), 400)


def test_health_and_info_are_told(client: Client) -> None:
    """What clients ask beside the task: whether the model is ready, and what it is."""
    assert client.get("/hf/colors/health").status_code == 200
    refused(client.get("/hf/colours/health"), 404)
    assert client.get("/hf/paint/info").json() == {
        "model_id": "paint",
        "model_version": 1,
        "task": "image-segmentation",
        "labels": ["red", "green", "blue"],
    }


def test_requests_are_counted_by_model(client: Client) -> None:
    """The figures know them as those of this protocol, and their parts as those of any item."""

    def figures() -> dict[str, float]:
        lines = client.get("/metrics").text.splitlines()
        pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
        return {name: float(value) for name, value in pairs}

    requests = 'convscope_requests_total{code="200",model="paint",task="hf",version="1"}'
    items = (
        "convscope_compute_seconds_count"
        '{execution_provider="CPUExecutionProvider",model="paint",version="1"}'
    )
    before = figures()
    client.post("/hf/paint", content=BLUE)
    after = figures()
    assert after[requests] == before.get(requests, 0) + 1
    assert after[items] == before.get(items, 0) + 1


def test_token_opens_and_is_never_logged(
    tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """A token is a key like any other, and stands in no line of the log."""
    root = tmp_path_factory.mktemp("models")
    write_model(root)
    settings = Settings(models_dir=root, device="cpu", threads=1, api_keys=TOKEN, log_level="debug")
    caplog.set_level(logging.DEBUG)
    with Client(settings) as locked:
        headers = {"authorization": f"Bearer {TOKEN}"}
        assert locked.post("/hf/colors", content=BLUE, headers=headers).status_code == 200
        assert "key" in refused(locked.post("/hf/colors", content=BLUE), 401)
        wrong = {"authorization": "Bearer hf_wrong-token-of-somebody"}
        refused(locked.post("/hf/colors", content=BLUE, headers=wrong), 401)
    assert "/hf/colors 200" in caplog.text
    assert TOKEN not in caplog.text
    assert "hf_wrong" not in caplog.text
