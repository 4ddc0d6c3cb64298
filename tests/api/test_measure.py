from collections.abc import Iterator

import numpy as np
import pytest

from service.api.measure_answer import MeasurementOut, MeasurementResults
from service.settings import Settings
from tests.api.client import Client
from tests.pictures import flat
from tests.sounds import KINDS, RATE_HZ, stored, tone
from tests.tiny_models import write_listener, write_measurer, write_model

PATH = "/v1/models/meter/measure"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a server that measures sounds, and does other things."""
    root = tmp_path_factory.mktemp("models")
    for write in (write_model, write_listener, write_measurer):
        write(root)
    settings = Settings(models_dir=root, device="cpu", threads=2, max_audio_seconds=60)
    with Client(settings) as client:
        yield client


def steps(*peaks: float) -> np.ndarray:
    """Return half a second of every amplitude, each a square wave: its peak is its mean."""
    signs = np.where(np.arange(RATE_HZ // 2) % 20 < 10, 1, -1)
    return np.concatenate([signs * peak for peak in peaks]).astype(np.float32)


def test_answer_tells_the_whole_and_its_parts(client: Client) -> None:
    """Every quantity with its name and unit, over the sound and in each window."""
    answer = client.post(PATH, content=stored(steps(0.2, 0.4)))
    assert answer.status_code == 200
    told = MeasurementOut.model_validate(answer.json(), extra="forbid")

    assert told.model.name == "meter"
    assert [(v.name, v.unit) for v in told.values] == [("peak", "%"), ("mean", "‰")]
    assert [(s.start_s, s.end_s) for s in told.segments] == [(0, 0.5), (0.25, 0.75), (0.5, 1)]
    found = [[v.value for v in s.values] for s in told.segments]
    np.testing.assert_allclose(found, [[20, 200], [40, 300], [40, 400]], rtol=1e-5)
    # the median of each quantity for itself
    np.testing.assert_allclose([v.value for v in told.values], [40, 300], rtol=1e-5)
    assert told.duration_s == 1
    assert told.timing.batch_size == 1


def test_silent_windows_are_left_out(client: Client) -> None:
    """They are marked, have no values and no part in those of the whole."""
    told = client.post(PATH, content=stored(steps(0.3, 0, 0, 0))).json()

    assert [s.get("silent", False) for s in told["segments"]] == [False, False, *[True] * 5]
    assert all(s["values"] == [] for s in told["segments"] if "silent" in s)
    assert told["values"][0]["value"] == pytest.approx(30)
    # of two windows the lower one: 300 and 150
    assert told["values"][1]["value"] == pytest.approx(150)


def test_nothing_but_silence_is_refused(client: Client) -> None:
    """There is no number for it."""
    answer = client.post(PATH, content=stored(steps(0)))
    assert answer.status_code == 422
    assert "silent throughout" in answer.json()["detail"]


@pytest.mark.parametrize("kind", KINDS)
def test_any_file_is_measured_alike(client: Client, kind: str) -> None:
    """WAV, FLAC, Ogg with Vorbis or Opus, and MP3 of one recording are one recording."""
    values = client.post(PATH, content=stored(tone(2, 0.5), kind=kind)).json()["values"]
    assert values[1]["value"] == pytest.approx(500 * 2 / np.pi, rel=0.03)


def test_several_files_get_as_many_results(client: Client) -> None:
    """In their order; one that is broken does not spoil the others."""
    files = [stored(steps(0.1)), b"no sound", stored(steps(0.7))]
    answer = client.post(PATH, files=[("file", file) for file in files])
    assert answer.status_code == 200
    first, second, third = MeasurementResults.model_validate(answer.json()).results
    assert isinstance(first, MeasurementOut)
    assert isinstance(third, MeasurementOut)
    assert first.values[0].value == pytest.approx(10)
    assert not isinstance(second, MeasurementOut)
    assert second.status == 415
    assert third.values[0].value == pytest.approx(70)


def test_model_says_what_it_measures(client: Client) -> None:
    """Names are its labels; units stand beside them."""
    (version,) = client.get("/v1/models/meter").json()["versions"]
    assert version["task"] == "audio-regression"
    assert (version["labels"], version["units"]) == (["peak", "mean"], ["%", "‰"])


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("colors/measure", "does image-classification: it cannot measure"),
        ("loudness/measure", "does audio-classification: it cannot measure"),
        ("meter/classify", "does audio-regression: it cannot classify"),
        ("meter/segment", "does audio-regression: it cannot segment"),
    ],
)
def test_other_questions_are_refused(client: Client, path: str, told: str) -> None:
    """Before the body is looked at."""
    answer = client.post(f"/v1/models/{path}", content=stored(steps(0.1)))
    assert answer.status_code == 422
    assert told in answer.json()["detail"]


def test_what_is_no_sound_is_refused(client: Client) -> None:
    """A picture, nothing at all, a version that is not there, a form that is not offered."""
    assert client.post(PATH, content=flat("red")).status_code == 415
    assert client.post(PATH, content=b"").status_code == 400
    assert client.post(f"{PATH}?version=7", content=b"x").status_code == 404
    assert client.post(PATH, content=b"x", headers={"accept": "image/png"}).status_code == 406
    assert client.post(PATH, content=stored(tone(61))).status_code == 413


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/meter/explain",
        "/v1/models/meter/stability",
        "/v1/compare?model=meter&model=meter",
    ],
)
def test_what_needs_classes_says_so(client: Client, path: str) -> None:
    """Reasons, stability and comparisons are of classes; a number gets a sentence."""
    answer = client.post(path, content=stored(steps(0.2)))

    assert answer.status_code == 422
    assert "is for models with classes" in answer.json()["detail"]


def test_methods_of_explain_need_classes_too(client: Client) -> None:
    """Nothing is offered that would be refused."""
    answer = client.get("/v1/models/meter/explain")

    assert answer.status_code == 422
    assert "explain is for models with classes" in answer.json()["detail"]
