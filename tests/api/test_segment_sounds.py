from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from service.api.schemas import SoundSegmentationOut
from service.settings import Settings
from tests.api.client import Client
from tests.pictures import flat
from tests.sounds import stored, tone
from tests.tiny_models import write_segmenter, write_spans

PATH = "/v1/models/pauses/segment"
# A pause at the beginning, one of 0.1 s, and one of 0.7 s.
PARTS = [(0.5, 0.0), (1.0, 0.5), (0.1, 0.0), (1.0, 0.5), (0.7, 0.0), (0.6, 0.5)]
SPEECH = np.concatenate([tone(seconds, amplitude) for seconds, amplitude in PARTS])


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a server with a segmenter of pictures and one of sounds."""
    root = tmp_path_factory.mktemp("models")
    write_segmenter(root)
    write_spans(root)
    with Client(Settings(models_dir=root, device="cpu", threads=2)) as client:
        yield client


def borders(answer: dict) -> list[float]:
    return [segment["start_s"] for segment in answer["segments"]][1:]


def test_answer_tells_when(client: Client) -> None:
    """Spans follow each other from 0 to the end, each where the sound is, to half a frame."""
    answer = client.post(PATH, content=stored(SPEECH)).json()
    SoundSegmentationOut.model_validate(answer)
    assert answer["model"] == {"name": "pauses", "version": 1}
    assert answer["duration_s"] == pytest.approx(3.9)
    assert answer["frame_s"] == 0.025
    segments = answer["segments"]
    assert [segment["label"] for segment in segments] == ["pause", "sound"] * 3
    assert [segment["class_index"] for segment in segments] == [0, 1] * 3
    assert (segments[0]["start_s"], segments[-1]["end_s"]) == (0, answer["duration_s"])
    assert all(one["end_s"] == other["start_s"] for one, other in pairwise(segments))
    assert borders(answer) == pytest.approx([0.5, 1.5, 1.6, 2.6, 3.3], abs=0.03)


def test_classes_tell_how_long(client: Client) -> None:
    """Seconds and shares of each class that is there, the longest first."""
    answer = client.post(PATH, content=stored(SPEECH)).json()
    sound, pause = answer["classes"]
    assert (sound["label"], pause["label"]) == ("sound", "pause")
    for entry in (sound, pause):
        lengths = [
            s["end_s"] - s["start_s"] for s in answer["segments"] if s["label"] == entry["label"]
        ]
        assert entry["seconds"] == pytest.approx(sum(lengths), abs=1e-5)
        assert entry["share"] == pytest.approx(entry["seconds"] / answer["duration_s"], abs=1e-5)


@pytest.mark.parametrize("frames", [1, 7, 40])
def test_shifted_sound_has_shifted_spans(client: Client, frames: int) -> None:
    """Later by a number of frames, every border is later by as much, exactly."""
    shift_s = frames * 0.025
    silence = np.zeros(frames * 200, np.float32)
    before = client.post(PATH, content=stored(SPEECH)).json()
    after = client.post(PATH, content=stored(np.concatenate([silence, SPEECH]))).json()
    assert borders(after) == pytest.approx([border + shift_s for border in borders(before)])


def test_short_spans_can_be_left_out(client: Client) -> None:
    """The pause of a tenth of a second goes with min_seconds, the others stay."""
    answer = client.post(PATH, params={"min_seconds": 0.3}, content=stored(SPEECH)).json()
    assert borders(answer) == pytest.approx([0.5, 2.6, 3.3], abs=0.03)


def test_silence_throughout_is_an_answer(client: Client) -> None:
    """Unlike for a classifier: it is where the recording is silent."""
    answer = client.post(PATH, content=stored(np.zeros(8000, np.float32))).json()
    (segment,) = answer["segments"]
    assert segment == {"start_s": 0, "end_s": 1, "class_index": 0, "label": "pause"}
    assert [entry["share"] for entry in answer["classes"]] == [1]


def test_content_decides_where_no_model_is_named(client: Client) -> None:
    """Files of both kinds are answered in order, each by its own default model."""
    assert client.post("/v1/segment", content=stored(SPEECH)).json()["frame_s"] == 0.025
    assert client.post("/v1/segment", content=flat("red")).json()["model"]["name"] == "paint"
    bodies = [flat("red"), stored(SPEECH), b"text", flat("blue")]
    files = [("file", ("a", body)) for body in bodies]
    results = client.post("/v1/segment", files=files).json()["results"]
    labels = [result["classes"][0]["label"] for result in results if "classes" in result]
    assert labels == ["red", "sound", "blue"]
    assert results[2]["status"] == 415


def test_one_bad_file_spares_its_neighbours(client: Client) -> None:
    """Several sounds give as many results."""
    bodies = [stored(SPEECH), flat("red"), stored(SPEECH)]
    results = client.post(PATH, files=[("file", ("a", body)) for body in bodies]).json()["results"]
    assert [result.get("status", 200) for result in results] == [200, 415, 200]
    assert results[0]["segments"] == results[2]["segments"]


@pytest.mark.parametrize(
    "query",
    [
        {"format": "png"},
        {"tile": 64},
        {"min_area": 5},
        {"resolution": "original"},
        {"render": "overlay"},
        {"tolerance": 2},
        {"min_seconds": -1},
        {"min_seconds": "nan"},
    ],
)
def test_wrong_query_is_422(client: Client, query: dict[str, object]) -> None:
    """What is for pictures is not silently left out."""
    answer = client.post(PATH, params=query, content=stored(SPEECH))  # type: ignore[arg-type]
    assert answer.status_code == 422
    assert next(iter(query)) in answer.json()["detail"]


def test_query_of_sounds_is_not_for_pictures(client: Client) -> None:
    """Nor the other way round; what is as it is by default does no harm."""
    path = "/v1/models/paint/segment"
    answer = client.post(path, params={"min_seconds": 1}, content=flat("red"))
    assert answer.status_code == 422
    assert "min_seconds is for sounds" in answer.json()["detail"]
    assert client.post(path, params={"min_seconds": 0}, content=flat("red")).status_code == 200
    query = {"tile": "auto", "format": "rle", "class_index": 5}
    assert client.post(PATH, params=query, content=stored(SPEECH)).status_code == 200


def test_query_of_the_default_is_for_both(client: Client) -> None:
    """Where content decides, each kind takes of the query what is for it."""
    query = {"min_seconds": 0.3, "min_area": 2}
    for body in (flat("red"), stored(SPEECH)):
        assert client.post("/v1/segment", params=query, content=body).status_code == 200


@pytest.mark.parametrize("accept", ["image/png", "application/x-npy"])
def test_there_is_no_picture_of_spans(client: Client, accept: str) -> None:
    """What can be had of a sound is JSON: 406 says so."""
    answer = client.post(PATH, content=stored(SPEECH), headers={"accept": accept})
    assert answer.status_code == 406
    assert answer.json()["detail"] == "This can be had as application/json."
