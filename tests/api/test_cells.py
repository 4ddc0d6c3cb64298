"""What one cell holds and sees, through the whole server."""

import io
from collections.abc import Iterator
from math import ceil, floor

import numpy as np
import pytest
from PIL import Image

from service.codecs.image import encode_png
from service.settings import Settings
from tests.api.client import Client
from tests.pictures import flat
from tests.sound_graphs import RATE_HZ, SEEN, STRIDE, WINDOW, noise, wav, write_silence, write_tones
from tests.tiny_models import SIZE, write_model, write_segmenter

INPUT = {
    "color": "rgb",
    "height": SIZE,
    "width": SIZE,
    "mean": (0,) * 3,
    "std": (1,) * 3,
    "kind": "image",
}
# By model: the layer, a cell of it, and how far resampling reaches in pixels of the input.
CELLS = {
    "squash": ("relu", "2,5", 0.5),
    "letterbox": ("relu", "3,4", 0.5),
    "crop": ("relu", "0,7", 0.5),
    "paint": ("conv", "5,9", 0.5),
    "exact": ("conv", "7,11", 0),
}
YELLOW = (255, 213, 0)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    root = tmp_path_factory.mktemp("models")
    for name, resize in (("squash", "squash"), ("letterbox", "letterbox")):
        write_model(root, name, preprocessing={**INPUT, "resize": resize})
    crop = {**INPUT, "resize": "shortest_side_center_crop", "crop_fraction": 0.75}
    write_model(root, "crop", preprocessing=crop)
    write_segmenter(root)
    write_segmenter(root, "exact", resize="none", multiple=1)
    write_silence(root)
    write_tones(root)
    with Client(Settings(models_dir=root, device="cpu", threads=2)) as client:
        yield client


def ask(client: Client, name: str, query: str, file: bytes) -> dict:
    answer = client.post(
        f"/v1/models/{name}/feature-maps?{query}",
        content=file,
        headers={"accept": "application/json"},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("size", [(96, 160), (160, 96)])
@pytest.mark.parametrize("name", CELLS)
def test_cell_sees_its_box_of_the_picture_and_nothing_else(
    client: Client, name: str, size: tuple[int, int]
) -> None:
    """What is painted outside of the box changes nothing, what is painted inside does."""
    layer, cell, reach = CELLS[name]
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    query = f"layer={layer}&cell={cell}"
    told = ask(client, name, query, encode_png(pixels))
    box, values = told["cell"]["box"], told["cell"]["values"]
    down, across = (
        reach * (box[end] - box[begin]) for begin, end in (("top", "bottom"), ("left", "right"))
    )
    top, bottom = max(0, floor(box["top"] - down)), ceil(box["bottom"] + down)
    left, right = max(0, floor(box["left"] - across)), ceil(box["right"] + across)
    around = np.zeros_like(pixels)
    around[top:bottom, left:right] = pixels[top:bottom, left:right]
    assert (around != pixels).any()
    assert ask(client, name, query, encode_png(around))["cell"]["values"] == values
    inside = pixels.copy()
    part = inside[floor(box["top"]) : ceil(box["bottom"]), floor(box["left"]) : ceil(box["right"])]
    part[:] = 255 - part
    assert ask(client, name, query, encode_png(inside))["cell"]["values"] != values


def test_box_is_what_arithmetic_gives(client: Client) -> None:
    """Hand-worked: 160 x 80 pixels squashed to 8 x 8, and letterboxed to 4 rows of 8."""
    file = flat("red", "PNG", (160, 80))
    squashed = ask(client, "squash", "layer=relu&cell=2,5", file)["cell"]
    assert squashed["box"] == {"left": 100, "top": 20, "right": 120, "bottom": 30}
    assert (squashed["index"], squashed["clipped"]) == ([2, 5], False)
    boxed = ask(client, "letterbox", "layer=relu&cell=2,5", file)["cell"]
    assert boxed["box"] == {"left": 100, "top": 0, "right": 120, "bottom": 20}


def test_field_that_reaches_beyond_the_picture_is_clipped(client: Client) -> None:
    """A window of 3 x 3 in the corner sees 2 x 2 pixels, and says so."""
    file = flat("red", "PNG", (16, 12))
    corner = ask(client, "exact", "layer=conv&cell=0,15", file)["cell"]
    assert corner["box"] == {"left": 14, "top": 0, "right": 16, "bottom": 2}
    assert corner["clipped"] is True
    middle = ask(client, "exact", "layer=conv&cell=5,5", file)["cell"]
    assert middle["box"] == {"left": 4, "top": 4, "right": 7, "bottom": 7}
    assert middle["clipped"] is False


def test_cell_in_the_padding_sees_nothing(client: Client) -> None:
    """Above a wide picture there is no part of it: null, and clipped."""
    cell = ask(client, "letterbox", "layer=relu&cell=0,3", flat("red", "PNG", (160, 80)))["cell"]
    assert (cell["box"], cell["clipped"]) == (None, True)
    picture = client.post(
        "/v1/models/letterbox/feature-maps?layer=relu&cell=0,3", content=flat("red")
    )
    assert picture.headers["content-type"] == "image/png"


def test_box_is_in_the_upright_picture(client: Client) -> None:
    """A photograph that its camera stored lying is told of as it is seen."""
    upright = Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 160, 3), np.uint8))
    lying, buffer = upright.transpose(Image.Transpose.ROTATE_90), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    lying.save(buffer, "PNG", exif=exif)
    query = "layer=relu&cell=2,5"
    told = ask(client, "squash", query, buffer.getvalue())["cell"]
    assert told == ask(client, "squash", query, encode_png(np.asarray(upright)))["cell"]
    assert told["box"] == {"left": 100, "top": 20, "right": 120, "bottom": 30}


def test_values_are_those_of_the_map(client: Client) -> None:
    """Of the channels that are listed, in their order; as an array too."""
    file = encode_png(np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8))
    as_array = {"accept": "application/x-npy"}
    path = "/v1/models/squash/feature-maps?layer=relu"
    whole = np.load(io.BytesIO(client.post(path, content=file, headers=as_array).content))
    told = ask(client, "squash", "layer=relu&cell=6,1&channels=2,0", file)
    assert told["cell"]["values"] == [whole[2, 6, 1], whole[0, 6, 1]]
    assert [row["channel"] for row in told["channels"]] == [2, 0]
    path += "&cell=6,1&channels=2,0"
    array = np.load(io.BytesIO(client.post(path, content=file, headers=as_array).content))
    np.testing.assert_array_equal(array, whole[[2, 0], 6, 1])


def test_picture_shows_the_box_and_its_content_enlarged(client: Client) -> None:
    """The left half is the picture with a yellow frame, the right one what lies within."""
    pixels = np.zeros((80, 160, 3), np.uint8)
    pixels[20:30, 100:120] = (0, 90, 255)
    answer = client.post(
        "/v1/models/squash/feature-maps?layer=relu&cell=2,5", content=encode_png(pixels)
    )
    picture = np.asarray(Image.open(io.BytesIO(answer.content)))
    frame = np.argwhere((picture == YELLOW).all(axis=-1))
    (top, left), (bottom, right) = frame.min(axis=0), frame.max(axis=0) + 1
    assert (right - left, bottom - top) == (20 * 512 // 160, 10 * 512 // 160)
    blue = np.argwhere((picture == (0, 90, 255)).all(axis=-1))
    beside = blue[blue[:, 1] > 14 + 512]
    assert len(beside) == 512 * 256


def test_sound_is_told_in_seconds(client: Client) -> None:
    """Cell 50 of a window that begins at 0.25 s, and one that hears past the end."""
    query = "layer=envelope&start_s=0.25&cell=50"
    cell = ask(client, "silence", query, wav(noise(3 * WINDOW)))["cell"]
    start = 0.25 + 50 * STRIDE / RATE_HZ
    assert cell["box"] == pytest.approx({"start_s": start, "end_s": start + SEEN / RATE_HZ})
    assert (cell["index"], cell["clipped"], len(cell["values"])) == ([50], False, 1)
    short = wav(noise(50 * STRIDE + SEEN // 2))  # it ends in the middle of what the cell hears
    cell = ask(client, "silence", "layer=envelope&cell=50", short)["cell"]
    assert cell["box"]["end_s"] == pytest.approx((50 * STRIDE + SEEN // 2) / RATE_HZ)
    assert cell["clipped"] is True
    later = ask(client, "silence", "layer=envelope&cell=80", short)["cell"]
    assert (later["box"], later["clipped"]) == (None, True)


def test_cell_of_a_spectrogram_has_two_numbers(client: Client) -> None:
    """Band and frame; three frames of 256 samples, 128 apart, make 512."""
    cell = ask(client, "tones", "layer=conv&cell=3,10", wav(noise(WINDOW)))["cell"]
    start = (10 - 1) * 128 / RATE_HZ
    assert cell["box"] == pytest.approx({"start_s": start, "end_s": start + 512 / RATE_HZ})


@pytest.mark.parametrize("path", ["silence/feature-maps?layer=envelope&cell=50"])
def test_sound_is_drawn_with_what_the_cell_hears(client: Client, path: str) -> None:
    """The waveform with a frame, and below it that part alone."""
    answer = client.post(f"/v1/models/{path}", content=wav(noise(WINDOW)))
    picture = np.asarray(Image.open(io.BytesIO(answer.content)))
    frame = np.argwhere((picture == YELLOW).all(axis=-1))
    middle = (frame[:, 1].min() + frame[:, 1].max() + 1) / 2 - 14
    assert middle == pytest.approx((50 * STRIDE + SEEN / 2) / WINDOW * 1180, abs=1)


@pytest.mark.parametrize("cell", ["", "1", "1,2,3", "-1,2", "8,0", "0,8", "a,b", "1.5,2", "9" * 99])
def test_cells_that_are_not_there_are_refused(client: Client, cell: str) -> None:
    """The detail says which there are."""
    answer = client.post(
        f"/v1/models/squash/feature-maps?layer=relu&cell={cell}", content=flat("red")
    )
    assert answer.status_code == 422
    assert "a row from 0 to 7 and a column from 0 to 7" in answer.json()["detail"]


def test_numbers_without_places_have_no_cells(client: Client) -> None:
    """A vector is not looked at by cell."""
    answer = client.post(
        "/v1/models/tones/feature-maps?layer=flat&cell=0", content=wav(noise(WINDOW))
    )
    assert answer.status_code == 422
    assert "no cells, only 16 numbers" in answer.json()["detail"]
