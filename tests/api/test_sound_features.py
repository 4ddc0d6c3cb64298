"""Feature maps of sounds, through the whole server."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from service.settings import Settings
from service.tasks.colors import NON_FINITE
from tests.api.client import Client
from tests.pictures import flat
from tests.sound_graphs import (
    RATE_HZ,
    SEEN,
    STRIDE,
    WINDOW,
    noise,
    run_taps,
    tones_graph,
    wav,
    write_silence,
    write_tones,
)
from tests.tiny_models import write_model

SILENCE = "/v1/models/silence/feature-maps?layer=envelope"
TONES = "/v1/models/tones/feature-maps?layer="


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    root = tmp_path_factory.mktemp("models")
    write_silence(root)
    write_tones(root)
    write_model(root)
    settings = Settings(models_dir=root, device="cpu", threads=2, max_audio_seconds=10)
    with Client(settings) as client:
        yield client


def array(client: Client, path: str, waveform: np.ndarray) -> np.ndarray:
    answer = client.post(path, content=wav(waveform), headers={"accept": "application/x-npy"})
    assert answer.status_code == 200, answer.text
    return np.load(io.BytesIO(answer.content))


@pytest.mark.parametrize("cells", [1, 7, 50])
def test_shifted_sound_shifts_the_map_of_silence_by_as_many_cells(
    client: Client, cells: int
) -> None:
    """The lecture's point, to the last bit: whatever comes later by k strides, k cells later."""
    sound = noise(WINDOW)
    sound[1000:1800] = 0
    shifted = np.concatenate([noise(cells * STRIDE, seed=1), sound])[:WINDOW]
    before, after = array(client, SILENCE, sound), array(client, SILENCE, shifted)
    assert before.shape == after.shape == (1, (WINDOW - SEEN) // STRIDE + 1)
    np.testing.assert_array_equal(after[:, cells:], before[:, :-cells])
    # the silence itself, in cells that see nothing else
    first, last = 1000 // STRIDE + cells, (1800 - SEEN) // STRIDE + cells
    silent = np.flatnonzero(after[0] == 0)
    assert (silent[0], silent[-1]) == (first, min(last, after.shape[1] - 1))


def test_later_window_shifts_the_map_the_other_way(client: Client) -> None:
    """start_s moves the window along the sound, in steps of a cell too."""
    sound = noise(3 * WINDOW)
    early = array(client, f"{SILENCE}&start_s=0.25", sound)
    late = array(client, f"{SILENCE}&start_s={0.25 + 5 * STRIDE / RATE_HZ}", sound)
    np.testing.assert_array_equal(late[:, :-5], early[:, 5:])


def test_array_is_what_the_graph_makes_of_the_window(client: Client) -> None:
    """Cut out of the middle, straight from the samples."""
    sound = noise(3 * WINDOW)
    window = sound[6000 : 6000 + WINDOW]
    for layer in ("log_mel", "conv/Relu", "bands"):
        found = array(client, f"{TONES}{layer}&start_s=0.75", sound)
        taps = run_taps(tones_graph(), window[None])
        (name,) = (name for name in taps if name.startswith(layer))
        np.testing.assert_allclose(found, taps[name][0], rtol=1e-5, atol=1e-6)


def test_figures_tell_the_time_of_every_cell(client: Client) -> None:
    """As JSON: what all layers have, and where in the sound the window and its cells lie."""
    answer = client.post(
        f"{SILENCE}&start_s=0.25", content=wav(noise(9000)), headers={"accept": "application/json"}
    ).json()
    assert (answer["layer"], answer["shape"]) == ("envelope/Conv", [1, 99])
    assert (answer["stride"], answer["receptive_field"]) == ([1, STRIDE], [1, SEEN])
    assert (answer["start_s"], answer["duration_s"]) == (0.25, WINDOW / RATE_HZ)
    assert answer["first_cell_s"] == 0.25 + SEEN / 2 / RATE_HZ
    assert answer["seconds_per_cell"] == STRIDE / RATE_HZ
    assert answer["channels"][0]["mean"] == pytest.approx(0.25, abs=0.01)


def test_window_past_the_end_is_cut_as_classify_cuts_it(client: Client) -> None:
    """Aligned, it is the one that ends where the sound does, and the answer says so."""
    answer = client.post(
        f"{TONES}log_mel&start_s=0.9",
        content=wav(noise(9000)),
        headers={"accept": "application/json"},
    ).json()
    assert answer["start_s"] == 5000 / RATE_HZ


def test_vector_has_no_time(client: Client) -> None:
    """Behind the pooling over time there are bars, and null for the place of cells."""
    answer = client.post(
        f"{TONES}flat", content=wav(noise(4000)), headers={"accept": "application/json"}
    ).json()
    assert answer["shape"] == [16]
    assert (answer["first_cell_s"], answer["seconds_per_cell"]) == (None, None)
    picture = client.post(f"{TONES}flat", content=wav(noise(4000)))
    assert Image.open(io.BytesIO(picture.content)).format == "PNG"


@pytest.mark.parametrize("path", [SILENCE, *(f"{TONES}{name}" for name in ("log_mel", "conv"))])
def test_picture_is_what_browsers_and_curl_get(client: Client, path: str) -> None:
    """A PNG within bounds, with every value a number."""
    answer = client.post(path, content=wav(noise(20_000)))
    assert answer.headers["content-type"] == "image/png"
    picture = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert max(picture.shape) <= 2048
    assert not (picture == NON_FINITE).all(axis=-1).any()


@pytest.mark.parametrize("start_s", ["2", "2.5", "-1", "nan", "inf", "soon", "1e9"])
def test_start_beyond_the_sound_is_refused(client: Client, start_s: str) -> None:
    """422, which names the parameter."""
    answer = client.post(f"{SILENCE}&start_s={start_s}", content=wav(noise(2 * RATE_HZ)))
    assert answer.status_code == 422
    assert "start_s" in answer.json()["detail"]


def test_start_of_a_picture_is_refused(client: Client) -> None:
    """Pictures have no time; the model is named."""
    path = "/v1/models/colors/feature-maps?layer=relu&start_s=0"
    answer = client.post(path, content=flat("red"))
    assert answer.status_code == 422
    assert "the model 'colors' takes pictures" in answer.json()["detail"]


def test_picture_is_no_sound(client: Client) -> None:
    """415 for a model that listens, with the formats that it hears."""
    answer = client.post(SILENCE, content=flat("red"))
    assert answer.status_code == 415
    assert "FLAC" in answer.json()["detail"]


def test_sound_longer_than_the_server_takes_is_refused(client: Client) -> None:
    """The operator's limit holds here too, whichever window is asked for."""
    answer = client.post(SILENCE, content=wav(noise(11 * RATE_HZ)))
    assert answer.status_code == 413
    assert "at most 10 s" in answer.json()["detail"]


def test_several_sounds_are_refused(client: Client) -> None:
    """They would have no clear form."""
    answer = client.post(SILENCE, files=[("file", ("a.wav", wav(noise(100))))] * 2)
    assert answer.status_code == 422
    assert "at a time, not 2" in answer.json()["detail"]


def test_layers_of_a_net_that_hears_come_with_its_rate(client: Client) -> None:
    """Samples mean nothing without their rate; pictures have none."""
    table = client.get("/v1/models/silence/layers").json()
    envelope = next(layer for layer in table["layers"] if layer["name"] == "envelope/Conv")
    assert table["sample_rate_hz"] == RATE_HZ
    assert (envelope["jump"], envelope["receptive_field"]) == ([1, STRIDE], [1, SEEN])
    assert client.get("/v1/models/colors/layers").json()["sample_rate_hz"] is None
