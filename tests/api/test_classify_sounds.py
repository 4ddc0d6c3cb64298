from collections.abc import Iterator
from threading import Event

import numpy as np
import pytest

from service.api.schemas import ClassificationResults, SoundClassificationOut
from service.settings import Settings
from service.tasks import listen
from tests.api.client import Client
from tests.pictures import flat
from tests.sounds import KINDS, RATE_HZ, stored, tone
from tests.tiny_models import LOUDNESSES, write_listener, write_model, write_segmenter, write_spans

PATH = "/v1/models/loudness/classify"
# Mean amplitudes near 0.02, 0.1 and 0.4.
AMPLITUDES = {"quiet": 0.03, "middling": 0.16, "loud": 0.63}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a server with a model for each of the four tasks."""
    root = tmp_path_factory.mktemp("models")
    for write in (write_model, write_segmenter, write_listener, write_spans):
        write(root)
    settings = Settings(models_dir=root, device="cpu", threads=2, max_audio_seconds=60)
    with Client(settings) as client:
        yield client


def top(answer: dict) -> str:
    label: str = answer["predictions"][0]["label"]
    return label


@pytest.mark.parametrize("label", LOUDNESSES)
@pytest.mark.parametrize("kind", KINDS)
def test_sound_gets_the_same_label_in_any_file(client: Client, label: str, kind: str) -> None:
    """WAV, FLAC, Ogg with Vorbis or Opus, and MP3 of one recording are one recording."""
    sound = stored(tone(2, AMPLITUDES[label]), kind=kind)
    answer = client.post(PATH, content=sound)
    assert answer.status_code == 200
    assert top(answer.json()) == label


@pytest.mark.parametrize("label", LOUDNESSES)
def test_rate_and_channels_make_no_difference(client: Client, label: str) -> None:
    """44.1 kHz in stereo and 8 kHz in mono of the same recording agree."""
    mono = client.post(PATH, content=stored(tone(2, AMPLITUDES[label]))).json()
    one = tone(2, AMPLITUDES[label], 44_100)
    stereo = client.post(PATH, content=stored(np.stack([one, one], axis=1), 44_100)).json()
    assert top(mono) == top(stereo) == label
    assert stereo["duration_s"] == mono["duration_s"] == 2
    for ours, theirs in zip(mono["predictions"], stereo["predictions"], strict=True):
        assert theirs["probability"] == pytest.approx(ours["probability"], abs=0.01)


def test_answer_tells_the_whole_and_its_parts(client: Client) -> None:
    """Windows with their times, each with predictions, and the aggregate over them."""
    sound = np.concatenate([tone(1, 0.03), tone(1.75, 0.63)])
    answer = client.post(PATH, content=stored(sound)).json()
    SoundClassificationOut.model_validate(answer)
    assert answer["model"] == {"name": "loudness", "version": 1}
    assert answer["duration_s"] == 2.75
    segments = answer["segments"]
    starts = [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.25]
    assert [segment["start_s"] for segment in segments] == starts
    assert [segment["end_s"] for segment in segments] == [start + 0.5 for start in starts]
    assert [top(segment) for segment in segments] == ["quiet"] * 3 + ["middling"] + ["loud"] * 6
    assert not any("silent" in segment for segment in segments)
    for part in (answer, *segments):
        predictions = part["predictions"]
        assert predictions == sorted(predictions, key=lambda p: -p["probability"])
        assert sum(p["probability"] for p in predictions) == pytest.approx(1)
    logits = np.log([[p["probability"] for p in by_index(segment)] for segment in segments])
    powers = np.exp(logits.mean(axis=0))
    told = [p["probability"] for p in by_index(answer)]
    np.testing.assert_allclose(told, powers / powers.sum(), rtol=1e-4)
    timing = answer["timing"]
    parts = timing["decode_ms"] + timing["queue_ms"] + timing["compute_ms"]
    assert timing["total_ms"] >= parts - 0.01


def by_index(answer: dict) -> list[dict]:
    return sorted(answer["predictions"], key=lambda p: p["class_index"])


def test_top_k_holds_for_the_whole_and_its_parts(client: Client) -> None:
    """One class asked for is one class told, everywhere."""
    answer = client.post(f"{PATH}?top_k=1", content=stored(tone(1.2))).json()
    assert {len(part["predictions"]) for part in (answer, *answer["segments"])} == {1}


def test_silence_says_nothing(client: Client) -> None:
    """A silent window has no predictions, and the rest is answered as if it were not there."""
    loud = client.post(PATH, content=stored(tone(1))).json()
    half = np.concatenate([np.zeros(8000, np.float32), tone(1)])
    answer = client.post(PATH, content=stored(half)).json()
    silent, *others = answer["segments"]
    assert silent == {"start_s": 0, "end_s": 0.5, "predictions": [], "silent": True}
    assert [segment.get("silent", False) for segment in others] == [True, True] + [False] * 4
    assert top(answer) == top(loud)


def test_silence_throughout_is_422(client: Client) -> None:
    """There is nothing to classify, and the answer says so."""
    answer = client.post(PATH, content=stored(np.zeros(8000, np.float32)))
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:convscope:problem:invalid-audio"
    assert "silent throughout" in answer.json()["detail"]


def test_clip_shorter_than_a_window_is_heard(client: Client) -> None:
    """A tenth of a second is one segment that ends with it."""
    answer = client.post(PATH, content=stored(tone(0.1, 0.63))).json()
    assert top(answer) == "loud"
    assert [(s["start_s"], s["end_s"]) for s in answer["segments"]] == [(0, 0.1)]


def test_long_sound_streams_to_the_same_answer(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decoded as a whole or while it runs, the answer is the same but for its timing."""
    sound = stored(np.concatenate([tone(20, 0.03), tone(20)]), kind="FLAC")
    whole = client.post(PATH, content=sound).json()
    monkeypatch.setattr(listen, "_SHORT_SAMPLES", 10_000)
    streamed = client.post(PATH, content=sound).json()
    assert streamed.pop("timing")["decode_ms"] > 0
    del whole["timing"]
    assert streamed == whole
    assert len(whole["segments"]) == 159


def test_long_sound_is_given_up_when_its_client_leaves(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the run that is under way there is no other."""
    monkeypatch.setattr(listen, "_SHORT_SAMPLES", 10_000)
    task, queue, _ = client.app.state.convscope.catalog.get("loudness").listening("classify")
    run, go_on, shapes = task._run, Event(), []

    def wait(windows: np.ndarray, alone: bool) -> np.ndarray:
        shapes.append(windows.shape)
        assert go_on.wait(10)
        return run(windows, alone)

    monkeypatch.setattr(task, "_run", wait)
    client.post_and_leave(PATH, stored(tone(40)))
    go_on.set()
    while queue.in_hand:
        client.get("/livez")
    assert shapes == [(16, 4000)]


def test_content_decides_where_no_model_is_named(client: Client) -> None:
    """A sound goes to the classifier of sounds, a picture to that of pictures."""
    assert client.post("/v1/classify", content=stored(tone(1))).json()["duration_s"] == 1
    picture = client.post("/v1/classify", content=flat("red")).json()
    assert picture["model"]["name"] == "colors"
    assert "segments" not in picture


def test_files_of_both_kinds_are_answered_in_order(client: Client) -> None:
    """Each by its own default model; what is neither is a problem."""
    bodies = [stored(tone(1)), flat("red"), b"text", stored(tone(1, 0.03)), b""]
    files = [("file", ("a", body)) for body in bodies]
    answer = client.post("/v1/classify", files=files)
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [result.get("status", 200) for result in results] == [200, 200, 415, 200, 400]
    assert [top(results[number]) for number in (0, 1, 3)] == ["loud", "red", "quiet"]
    kinds = [type(result).__name__ for result in ClassificationResults(results=results).results]
    sound, picture = "SoundClassificationOut", "ClassificationOut"
    assert kinds == [sound, picture, "Problem", sound, "Problem"]


def test_several_sounds_are_answered_one_by_one(client: Client) -> None:
    """One bad file never spoils its neighbours."""
    bodies = [
        stored(tone(1)),
        flat("red"),
        stored(np.zeros(800, np.float32)),
        stored(tone(1, 0.03)),
    ]
    files = [("file", ("a", body)) for body in bodies]
    results = client.post(PATH, files=files).json()["results"]
    assert [result.get("status", 200) for result in results] == [200, 415, 422, 200]
    assert [top(results[number]) for number in (0, 3)] == ["loud", "quiet"]


def test_picture_for_a_model_of_sounds_is_415(client: Client) -> None:
    """And a sound for a model of pictures; the answer says what the model takes."""
    picture = client.post(PATH, content=flat("red"))
    assert picture.status_code == 415
    assert "no sound" in picture.json()["detail"]
    sound = client.post("/v1/models/colors/classify", content=stored(tone(1)))
    assert sound.status_code == 415
    assert "no picture" in sound.json()["detail"]


def test_wrong_task_is_told(client: Client) -> None:
    """What segments sounds does not classify them: 422, before the body is read."""
    answer = client.post("/v1/models/pauses/classify", content=stored(tone(1)))
    assert answer.status_code == 422
    assert "does audio-segmentation: it cannot classify" in answer.json()["detail"]


def truncated(kind: str) -> bytes:
    whole = stored(np.random.default_rng(0).uniform(-1, 1, 40_000).astype(np.float32), kind=kind)
    return whole[: len(whole) // 2]


def claiming_ten_hours() -> bytes:
    """Return a WAV of one second whose head says that it lasts ten hours."""
    whole = bytearray(stored(tone(1)))
    at = whole.index(b"data") + 4
    whole[at : at + 4] = (10 * 3600 * RATE_HZ * 4).to_bytes(4, "little")
    return bytes(whole)


HOSTILE = {
    "nothing": (b"", 400),
    "text as MP3": (b"ID3, said the file, but it was text." * 100, 415),
    "truncated WAV": (truncated("WAV"), 422),
    "truncated FLAC": (truncated("FLAC"), 422),
    "truncated Ogg": (truncated("Vorbis"), 422),
    "ten hours": (claiming_ten_hours(), 422),
    "too long": (stored(tone(61), kind="FLAC"), 413),
    "64 channels": (stored(np.zeros((800, 64), np.float32)), 413),
    "NaN": (stored(np.full(800, np.nan, np.float32)), 422),
    "head alone": (stored(tone(1))[:44], 422),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("path", [PATH, "/v1/models/pauses/segment"])
def test_hostile_sound_is_refused(client: Client, name: str, path: str) -> None:
    """Each with its status and a sentence, and the server goes on."""
    body, status = HOSTILE[name]
    answer = client.post(path, content=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].endswith((".", ")"))
    assert client.post(PATH, content=stored(tone(1))).status_code == 200


@pytest.mark.parametrize(
    "sound",
    [stored(np.float32([0.5])), stored(tone(1, rate_hz=192_000), 192_000)],
    ids=["one sample", "192 kHz"],
)
def test_odd_sound_is_answered(client: Client, sound: bytes) -> None:
    """One sample is a sound, and so is one of a very high rate."""
    assert client.post(PATH, content=sound).status_code == 200


def test_model_tells_what_it_hears(client: Client) -> None:
    """Rate, window and hop are among what is told of a model."""
    (version,) = client.get("/v1/models/loudness").json()["versions"]
    assert version["task"] == "audio-classification"
    assert version["input"] == {"name": "sounds", "dtype": "float32", "shape": [None, 4000]}
    assert version["preprocessing"] == {
        "kind": "audio",
        "sample_rate_hz": 8000,
        "window_samples": 4000,
        "hop_samples": 2000,
        "tail": "align",
    }


def test_sounds_are_counted(client: Client) -> None:
    """Requests, items and the seconds that were heard."""
    before = {name: counted(client, name) for name in ("requests_total", "total_seconds_count")}
    seconds = counted(client, "sound_seconds_total")
    client.post(PATH, content=stored(tone(1.5)))
    client.post(PATH, content=b"text")
    assert counted(client, "requests_total") == before["requests_total"] + 2
    assert counted(client, "total_seconds_count") == before["total_seconds_count"] + 1
    assert counted(client, "sound_seconds_total") == seconds + 1.5


def counted(client: Client, name: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith(f"convscope_{name}{{") and 'model="loudness"' in line
    )
