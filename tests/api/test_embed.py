"""Pictures and sounds as vectors, through the whole server."""

import io
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from service.api import embed
from service.codecs.image import encode_png
from service.contract.errors import DeadlineExceeded
from service.settings import Settings
from service.tasks import embed as tasks
from service.tasks import listen
from tests.api.client import Client
from tests.pictures import flat
from tests.sound_graphs import RATE_HZ, WINDOW, noise, wav, write_silence, write_tones
from tests.tiny_models import write_model, write_segmenter

NPY = {"accept": "application/x-npy"}
COLORS = "/v1/models/colors/embed"
TONES = "/v1/models/tones/embed"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    root: Path = tmp_path_factory.mktemp("models")
    write_model(root)
    write_segmenter(root)
    write_silence(root)
    write_tones(root)
    with Client(Settings(models_dir=root, device="cpu", threads=2)) as client:
        yield client


def picture(seed: int, size: tuple[int, int] = (30, 40)) -> bytes:
    return encode_png(np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8))


def array(client: Client, path: str, file: bytes) -> np.ndarray:
    answer = client.post(path, content=file, headers=NPY)
    assert answer.status_code == 200, answer.text
    values = np.load(io.BytesIO(answer.content))
    assert values.dtype == np.float32
    return values


def maps(client: Client, name: str, query: str, file: bytes) -> np.ndarray:
    return array(client, f"/v1/models/{name}/feature-maps?{query}", file)


def test_vector_is_the_mean_over_all_places(client: Client) -> None:
    """Of the layer that is asked for, as JSON and as an array."""
    path = f"{COLORS}?layer=relu"
    expected = maps(client, "colors", "layer=relu", picture(0)).mean(axis=(1, 2))
    np.testing.assert_allclose(array(client, path, picture(0)), expected, rtol=1e-5)
    told = client.post(path, content=picture(0)).json()
    assert told["model"] == {"name": "colors", "version": 1}
    assert (told["layer"], told["shape"]) == ("relu/Relu", [3])
    assert told["embedding"] == pytest.approx(expected.tolist(), rel=1e-5)


def test_nothing_is_pooled_if_that_is_asked(client: Client) -> None:
    """The whole map, as nested lists too."""
    path = f"{COLORS}?layer=relu&pool=none"
    expected = maps(client, "colors", "layer=relu", picture(0))
    np.testing.assert_array_equal(array(client, path, picture(0)), expected)
    told = client.post(path, content=picture(0)).json()
    assert told["shape"] == [3, 8, 8]
    np.testing.assert_allclose(told["embedding"], expected, rtol=1e-6)


def test_last_layer_with_weights_tells_where_to_look(client: Client) -> None:
    """What a linear layer reads is the vector; of a convolution at the end, the map before it."""
    told = client.post(TONES, content=wav(noise(WINDOW))).json()
    assert (told["layer"], told["shape"]) == ("flat/Flatten", [16])
    told = client.post(COLORS, content=picture(0)).json()
    assert (told["layer"], told["shape"]) == ("input/Transpose", [3])


def test_several_files_are_several_results_or_one_array(client: Client) -> None:
    """In their order: a row of the array is a file."""
    files = [picture(seed) for seed in range(5)]
    form = [("file", (f"{seed}.png", file)) for seed, file in enumerate(files)]
    path = f"{COLORS}?layer=relu"
    rows = np.load(io.BytesIO(client.post(path, files=form, headers=NPY).content))
    expected = np.stack([array(client, path, file) for file in files])
    np.testing.assert_array_equal(rows, expected)
    results = client.post(path, files=form).json()["results"]
    np.testing.assert_allclose([each["embedding"] for each in results], expected, rtol=1e-6)


def test_bad_file_spoils_no_results_but_the_array(client: Client) -> None:
    """In JSON it has a problem of its own; an array would lack its row, so its number is told."""
    form = [("file", ("a.png", picture(0))), ("file", ("b.png", b"nonsense"))]
    good, bad = client.post(COLORS, files=form).json()["results"]
    assert len(good["embedding"]) == 3
    assert bad["status"] == 415
    answer = client.post(COLORS, files=form, headers=NPY)
    assert answer.status_code == 415
    assert answer.json()["detail"].startswith("File 2 of 2: ")


def test_vector_of_a_sound_is_the_mean_over_its_windows(client: Client) -> None:
    """Windows as classify cuts them: of 1.25 s there are four, each half over the last one."""
    sound = noise(5 * WINDOW // 2)
    windows = [
        maps(client, "tones", f"layer=flat&start_s={start / RATE_HZ}", wav(sound))
        for start in range(0, 4 * WINDOW // 2, WINDOW // 2)
    ]
    found = array(client, TONES, wav(sound))
    np.testing.assert_allclose(found, np.mean(windows, axis=0), rtol=1e-4)
    assert np.abs(np.subtract(*windows[:2])).max() > 1e-4


def test_silent_windows_do_not_count(client: Client) -> None:
    """As in classify; of a sound that is silent all over, they do."""
    loud, pause = noise(WINDOW), np.zeros(WINDOW, np.float32)
    alone = array(client, TONES, wav(loud))
    padded = array(client, TONES, wav(np.concatenate([pause, pause, loud])))
    halves = maps(
        client, "tones", "layer=flat&start_s=0.75", wav(np.concatenate([pause, pause, loud]))
    )
    np.testing.assert_allclose(padded, (alone + halves) / 2, rtol=1e-4)
    silent = array(client, TONES, wav(pause))
    np.testing.assert_allclose(silent, maps(client, "tones", "layer=flat", wav(pause)), rtol=1e-4)


def test_spatial_map_of_a_sound_is_refused(client: Client) -> None:
    """The message says where to get one window's."""
    answer = client.post(f"{TONES}?pool=none", content=wav(noise(WINDOW)))
    assert answer.status_code == 422
    assert "feature maps of one window" in answer.json()["detail"]


def test_maps_of_different_sizes_are_no_array(client: Client) -> None:
    """Pooled they are; as JSON they can be had."""
    form = [("file", (f"{n}.png", picture(0, size))) for n, size in enumerate([(30, 40), (40, 30)])]
    path = "/v1/models/paint/embed?layer=conv&pool=none"
    answer = client.post(path, files=form, headers=NPY)
    assert answer.status_code == 422
    assert "pool=mean" in answer.json()["detail"]
    shapes = [each["shape"] for each in client.post(path, files=form).json()["results"]]
    assert shapes[0] != shapes[1]
    assert client.post(path.replace("none", "mean"), files=form, headers=NPY).status_code == 200


def test_answer_that_would_be_too_large_is_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files that fit are answered; the rest is told what to do."""
    monkeypatch.setattr(embed, "_MOST_BYTES", 2 * 3 * 8 * 8 * 4)
    form = [("file", (f"{n}.png", picture(n))) for n in range(3)]
    results = client.post(f"{COLORS}?layer=relu&pool=none", files=form).json()["results"]
    assert sorted(each.get("status", 200) for each in results) == [200, 200, 413]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{COLORS}?layer=cnov", 404),
        (f"{COLORS}?pool=max", 422),
        (f"{COLORS}?version=7", 404),
        ("/v1/models/nobody/embed", 404),
    ],
)
def test_what_is_not_there_is_told(client: Client, path: str, status: int) -> None:
    """A problem, before the picture is looked at."""
    answer = client.post(path, content=flat("red"))
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_form_that_is_not_offered_is_told(client: Client) -> None:
    """406 lists what can be had."""
    answer = client.post(COLORS, content=flat("red"), headers={"accept": "image/png"})
    assert answer.status_code == 406


def test_long_sound_that_nobody_waits_for_is_given_up(client: Client) -> None:
    """Its windows are not all run for an answer that has no reader."""
    gone, model = Event(), client.app.state.convscope.catalog.get("tones")
    gone.set()
    with pytest.raises(DeadlineExceeded):
        tasks.embed(model, wav(noise(listen._SHORT_SAMPLES + WINDOW)), None, "mean", gone)
