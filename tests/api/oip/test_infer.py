"""Inference of the Open Inference Protocol, with requests that are written by hand."""

import json
from base64 import b64encode
from collections.abc import Iterator

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
    sent_as_bytes,
    sent_as_files,
    tensor,
    with_bytes,
)
from tests.api.test_metrics import value
from tests.pictures import flat
from tests.sounds import stored, tone
from tests.tiny_models import (
    LABELS,
    write_listener,
    write_measurer,
    write_model,
    write_segmenter,
    write_spans,
)

RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.integers(0, 256, (5, 8, 8, 3), np.uint8)


def expected(pictures: np.ndarray, sharpness: float = 10) -> np.ndarray:
    """Return what the model of colors says of pictures, worked out by hand."""
    powers = np.exp(pictures.astype(np.float64).mean(axis=(1, 2)) / 255 * sharpness)
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    root = tmp_path_factory.mktemp("models")
    write_model(root, "colors", 1, sharpness=1)
    write_model(root, "colors", 2, sharpness=10)
    write_segmenter(root)
    write_listener(root)
    write_spans(root)
    write_measurer(root)
    with Client(Settings(models_dir=root, device="cpu", threads=2, max_batch_size=4)) as client:
        yield client


def test_tensor_as_json_is_answered_as_json(client: Client) -> None:
    """Without a word about bytes everything is JSON, with the name, version and id."""
    answer = infer(client, "colors", json={"id": "a7", "inputs": [tensor("images", PICTURES)]})
    assert answer.headers["content-type"] == "application/json"
    assert LENGTH not in answer.headers
    told = answer.json()
    assert (told["id"], told["model_name"], told["model_version"]) == ("a7", "colors", "2")
    (output,) = told["outputs"]
    assert (output["name"], output["datatype"]) == ("probabilities", "FP32")
    assert output["shape"] == [5, 3]
    assert len(output["data"]) == 15
    assert outputs_of(answer)["probabilities"] == pytest.approx(expected(PICTURES), abs=1e-6)


def test_request_without_an_id_is_answered_without_one(client: Client) -> None:
    """What was not said is not said back."""
    assert "id" not in infer(client, "colors", json={"inputs": [tensor("images", PICTURES)]}).json()


def test_nested_data_are_the_same_as_flat_data(client: Client) -> None:
    """The protocol lets clients choose; partly nested ones are read as well."""
    flat_answer = infer(client, "colors", json={"inputs": [tensor("images", PICTURES)]})
    nested = {**tensor("images", PICTURES), "data": PICTURES.tolist()}
    assert outputs_of(infer(client, "colors", json={"inputs": [nested]}))[
        "probabilities"
    ].tolist() == (outputs_of(flat_answer)["probabilities"].tolist())


def test_tensor_as_bytes_is_answered_as_json_unless_bytes_are_asked_for(client: Client) -> None:
    """How it was sent does not decide how it is sent back."""
    as_json = infer(client, "colors", **sent_as_bytes("images", PICTURES))
    assert as_json.headers["content-type"] == "application/json"
    parameters = {"binary_data_output": True}
    as_bytes = infer(client, "colors", **sent_as_bytes("images", PICTURES, parameters=parameters))
    assert as_bytes.headers["content-type"] == "application/octet-stream"
    length = int(as_bytes.headers[LENGTH])
    (output,) = json.loads(as_bytes.content[:length])["outputs"]
    assert output["parameters"] == {"binary_data_size": 5 * 3 * 4}
    assert len(as_bytes.content) == length + 60
    assert (
        outputs_of(as_json)["probabilities"].tolist()
        == outputs_of(as_bytes)["probabilities"].tolist()
    )


def test_outputs_come_in_the_order_and_form_in_which_they_were_asked_for(client: Client) -> None:
    """One as bytes beside one in the JSON; the default is for those that do not say."""
    pictures = RANDOM.integers(0, 256, (2, 8, 12, 3), np.uint8)
    asked = [
        {"name": "probabilities", "parameters": {"binary_data": False}},
        {"name": "mask"},
    ]
    parameters = {"binary_data_output": True}
    answer = infer(
        client, "paint", **sent_as_bytes("images", pictures, outputs=asked, parameters=parameters)
    )
    told = json.loads(answer.content[: int(answer.headers[LENGTH])])["outputs"]
    assert [output["name"] for output in told] == ["probabilities", "mask"]
    assert ["data" in output for output in told] == [True, False]
    found = outputs_of(answer)
    assert found["mask"].shape == (2, 8, 12)
    assert found["mask"].tolist() == found["probabilities"].argmax(axis=1).tolist()


def test_only_what_was_asked_for_is_sent(client: Client) -> None:
    """No outputs, or an empty list of them, are all; else those that are named."""
    pictures = RANDOM.integers(0, 256, (1, 8, 8, 3), np.uint8)
    for asked, names in (
        ({}, ["mask", "probabilities"]),
        ({"outputs": []}, ["mask", "probabilities"]),
        ({"outputs": [{"name": "mask"}]}, ["mask"]),
    ):
        found = outputs_of(infer(client, "paint", **sent_as_bytes("images", pictures, **asked)))
        assert list(found) == names


def test_version_is_that_of_the_path(client: Client) -> None:
    """Unset, the highest."""
    for version, sharpness in ((1, 1), (2, 10)):
        path = f"/v2/models/colors/versions/{version}/infer"
        answer = client.post(path, **sent_as_bytes("images", PICTURES))
        assert answer.json()["model_version"] == str(version)
        found = outputs_of(answer)["probabilities"]
        assert found == pytest.approx(expected(PICTURES, sharpness), abs=1e-6)


def test_more_rows_than_a_batch_are_all_answered_in_order(client: Client) -> None:
    """A tensor of any number of rows is cut into batches and put together again."""
    for rows in (1, 4, 5, 8, 131):
        pictures = RANDOM.integers(0, 256, (rows, 8, 8, 3), np.uint8)
        found = outputs_of(infer(client, "colors", **sent_as_bytes("images", pictures)))
        assert found["probabilities"] == pytest.approx(expected(pictures), abs=1e-6)


def test_rows_of_several_requests_are_run_together_and_kept_apart(client: Client) -> None:
    """Each gets its own rows back, whatever they shared a batch with."""
    tensors = [RANDOM.integers(0, 256, (rows, 8, 8, 3), np.uint8) for rows in (1, 2, 1, 3, 2)]
    requests = [sent_as_bytes("images", pictures) for pictures in tensors]
    answers = client.post_together("/v2/models/colors/infer", requests, 1, lambda: None)
    for pictures, answer in zip(tensors, answers, strict=True):
        assert outputs_of(answer)["probabilities"] == pytest.approx(expected(pictures), abs=1e-6)


def test_files_become_what_they_become_elsewhere(client: Client) -> None:
    """A tensor of BYTES holds pictures, which are decoded and resized as /v1 does."""
    files = [flat("red"), flat("blue", "PNG"), flat("green")]
    found = outputs_of(infer(client, "colors", **sent_as_files("images", *files)))
    elsewhere = client.post(
        "/v1/models/colors/classify",
        files=[("file", ("a", file)) for file in files],
    ).json()["results"]
    for row, answer in zip(found["probabilities"], elsewhere, strict=True):
        told = {p["class_index"]: p["probability"] for p in answer["predictions"]}
        assert row.tolist() == [told[index] for index in range(3)]


def test_files_may_be_a_column_and_in_base64(client: Client) -> None:
    """The shape [N, 1] is the same as [N], and JSON holds files as base64."""
    files = [flat("red"), flat("blue")]
    plain = outputs_of(infer(client, "colors", **sent_as_files("images", *files)))
    content = elements(*files)
    column = behind("images", "BYTES", [2, 1], len(content))
    described = {
        "name": "images",
        "datatype": "BYTES",
        "shape": [2],
        "parameters": {"content_type": "base64"},
        "data": [b64encode(file).decode() for file in files],
    }
    for how in (with_bytes({"inputs": [column]}, content), {"json": {"inputs": [described]}}):
        found = outputs_of(infer(client, "colors", **how))
        assert found["probabilities"].tolist() == plain["probabilities"].tolist()


def test_likeliest_classes_are_told_with_their_labels(client: Client) -> None:
    """The classification extension: `value:index:label`, as text in JSON or as BYTES."""
    pictures = np.zeros((2, 8, 8, 3), np.uint8)
    pictures[0, ..., 2], pictures[1, ..., 1], pictures[1, ..., 0] = 255, 200, 100
    likely = expected(pictures)
    for binary in (False, True):
        parameters = {"classification": 2, "binary_data": binary}
        asked = [{"name": "probabilities", "parameters": parameters}]
        answer = infer(client, "colors", **sent_as_bytes("images", pictures, outputs=asked))
        length = int(answer.headers.get(LENGTH, len(answer.content)))
        (output,) = json.loads(answer.content[:length])["outputs"]
        assert (output["datatype"], output["shape"]) == ("BYTES", [2, 2])
        texts = output.get("data")
        if binary:
            content = answer.content[length:]
            assert content == elements(*(text.encode() for text in read_texts(content)))
            texts = read_texts(content)
        values, indices, labels = zip(*(text.split(":") for text in texts), strict=True)
        # of equal ones the lower index comes first
        assert indices == ("2", "0", "1", "0")
        assert labels == tuple(LABELS[int(index)] for index in indices)
        wanted = [likely[0, 2], likely[0, 0], likely[1, 1], likely[1, 0]]
        assert [float(v) for v in values] == pytest.approx(wanted, abs=1e-6)


def read_texts(content: bytes) -> list[str]:
    texts = []
    while content:
        length = int.from_bytes(content[:4], "little")
        texts.append(content[4 : 4 + length].decode())
        content = content[4 + length :]
    return texts


def test_more_classes_than_there_are_gives_all(client: Client) -> None:
    """As top_k does elsewhere."""
    asked = [{"name": "probabilities", "parameters": {"classification": 99}}]
    answer = infer(client, "colors", **sent_as_bytes("images", PICTURES, outputs=asked))
    assert answer.json()["outputs"][0]["shape"] == [5, 3]


def test_windows_of_sounds_are_rows(client: Client) -> None:
    """Each is answered for itself: by hand, loudness is the mean of the absolute samples."""
    windows = (RANDOM.normal(0, 0.1, (3, 4000)) * [[0.1], [1], [5]]).astype(np.float32)
    found = outputs_of(infer(client, "meter", **sent_as_bytes("sounds", windows)))["values"]
    wanted = np.stack([windows.max(axis=1) * 100, abs(windows).mean(axis=1) * 1000], axis=1)
    assert found == pytest.approx(wanted, rel=1e-5)
    classes = outputs_of(infer(client, "loudness", **sent_as_bytes("sounds", windows)))
    assert classes["probabilities"].argmax(axis=1).tolist() == [0, 1, 2]


def test_floats_are_the_same_behind_json_of_any_length(client: Client) -> None:
    """Where the bytes begin at an odd place, they are no different numbers."""
    windows = RANDOM.normal(0, 0.1, (2, 4000)).astype(np.float32)
    answers = [
        outputs_of(infer(client, "meter", **sent_as_bytes("sounds", windows, id="x" * length)))
        for length in range(1, 6)
    ]
    assert all(a["values"].tolist() == answers[0]["values"].tolist() for a in answers)


def test_sound_in_json_is_the_same_as_in_bytes(client: Client) -> None:
    """float32 survives both."""
    windows = RANDOM.normal(0, 0.1, (2, 4000)).astype(np.float32)
    as_bytes = outputs_of(infer(client, "meter", **sent_as_bytes("sounds", windows)))
    as_json = outputs_of(infer(client, "meter", json={"inputs": [tensor("sounds", windows)]}))
    assert as_json["values"].tolist() == as_bytes["values"].tolist()


def test_file_of_a_sound_is_answered_as_a_whole(client: Client) -> None:
    """Classes of the whole sound, spared its silence, and quantities, as /v1 has them."""
    file = stored(np.concatenate([tone(1, 0.6), np.zeros(8000, np.float32), tone(1, 0.04)]))
    found = outputs_of(infer(client, "loudness", **sent_as_files("sounds", file, file)))
    told = client.post("/v1/models/loudness/classify", content=file).json()["predictions"]
    likely = sorted((p["class_index"], p["probability"]) for p in told)
    assert found["probabilities"].shape == found["logits"].shape == (2, 3)
    assert found["probabilities"][1] == pytest.approx([p for _, p in likely], abs=1e-7)
    powers = np.exp(found["logits"][0].astype(np.float64) - found["logits"][0].max())
    assert powers / powers.sum() == pytest.approx(found["probabilities"][0], abs=1e-6)
    measured = outputs_of(infer(client, "meter", **sent_as_files("sounds", file)))["values"]
    told = client.post("/v1/models/meter/measure", content=file).json()["values"]
    assert measured.tolist() == [[pytest.approx(v["value"], rel=1e-6) for v in told]]


def test_file_of_a_sound_is_segmented_from_its_first_frame_to_its_last(client: Client) -> None:
    """Frames of all windows follow each other, as far as the sound goes and no farther."""
    sound = np.concatenate([tone(1.0, 0.5), np.zeros(4000, np.float32), tone(0.4, 0.5)])
    found = outputs_of(infer(client, "pauses", **sent_as_files("sounds", stored(sound))))
    mask, probabilities = found["mask"], found["probabilities"]
    # a frame is of the 200 samples in the middle of the 400 that it sees
    frames = -(-(len(sound) - 100) // 200)
    assert mask.shape == (1, frames)
    assert probabilities.shape == (1, 2, frames)
    assert mask.tolist() == probabilities.argmax(axis=1).tolist()
    changes = (np.flatnonzero(np.diff(mask[0])) + 1) * 200 + 100
    assert changes.tolist() == [pytest.approx(8000, abs=200), pytest.approx(12000, abs=200)]


def test_pictures_of_one_size_may_be_segmented_together(client: Client) -> None:
    """Two files are two rows; at the model's own grid, not the picture's."""
    files = [flat("red", size=(64, 48)), flat("blue", size=(640, 480))]
    found = outputs_of(infer(client, "paint", **sent_as_files("images", *files)))
    assert found["mask"].shape == (2, 12, 16)
    assert np.unique(found["mask"][0]).tolist() == [0]
    assert np.unique(found["mask"][1]).tolist() == [2]


def test_inference_is_counted_like_all_that_is_asked(client: Client) -> None:
    """Requests by model and version; batches by their rows; times; seconds of sound."""
    of = {"model": "colors", "version": "1"}
    before = value(client, "convscope_batch_size_sum", **of)
    items = value(client, "convscope_compute_seconds_count", **of)
    client.post("/v2/models/colors/versions/1/infer", **sent_as_bytes("images", PICTURES))
    assert value(client, "convscope_batch_size_sum", **of) - before == 5
    assert value(client, "convscope_compute_seconds_count", **of) - items == 2  # blocks of 4 and 1
    assert value(client, "convscope_requests_total", task="infer", code="200", **of) >= 1
    heard = value(client, "convscope_sound_seconds_total", model="meter")
    infer(client, "meter", **sent_as_files("sounds", stored(tone(1.5))))
    assert value(client, "convscope_sound_seconds_total", model="meter") - heard == 1.5


@pytest.mark.parametrize("model", ["colors", "loudness", "paint"])
def test_file_without_json_is_answered_as_bytes(client: Client, model: str) -> None:
    """The body is the file; what comes of it is that of the same file in a tensor of BYTES."""
    file = stored(tone(1)) if model == "loudness" else flat("green", size=(64, 64))
    name = client.get(f"/v2/models/{model}").json()["inputs"][0]["name"]
    raw = infer(client, model, content=file, headers={LENGTH: "0"})
    told = json.loads(raw.content[: int(raw.headers[LENGTH])])
    assert all("data" not in output for output in told["outputs"])
    wanted = outputs_of(infer(client, model, **sent_as_files(name, file)))
    found = outputs_of(raw)
    assert found.keys() == wanted.keys()
    for output, values in wanted.items():
        assert (found[output] == values).all()


def test_body_without_json_or_file_is_refused(client: Client) -> None:
    """Neither nothing nor the bytes of a tensor are a file."""
    assert infer(client, "colors", headers={LENGTH: "0"}).status_code == 400
    tensor_alone = infer(client, "colors", content=PICTURES.tobytes(), headers={LENGTH: "0"})
    assert tensor_alone.status_code == 415
