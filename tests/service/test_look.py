"""Pictures of channels, drawn as the client likes them."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from service.contract.errors import InvalidParameter
from service.contract.manifest import Tap
from service.tasks.colors import Colormap, fit_colormap
from service.tasks.feature_map import FeatureMap
from service.tasks.look import Look
from service.tasks.mosaic import render_mosaic
from service.tasks.sound_mosaic import Scene, render_sound_map
from service.tasks.thumbnail import channel_thumbnails
from service.tasks.timeline import Timeline

DARK, YELLOW = (68, 1, 84), (253, 231, 37)
RED, BLUE = (178, 24, 43), (33, 102, 172)
BODY = 96


def pixels(values: np.ndarray, look: Look) -> np.ndarray:
    png = render_mosaic(values.astype(np.float32), range(len(values)), "layer", look)
    return np.asarray(Image.open(BytesIO(png)))


def area(picture: np.ndarray, color: tuple[int, int, int]) -> int:
    return int((picture[BODY:] == color).all(axis=-1).sum())


FAINT_AND_STRONG = np.array([[[0, 0], [1, 1]], [[0, 0], [100, 100]]])


def test_channel_of_its_own_scale_has_all_colours() -> None:
    """What is faint beside others is seen too; shared, it is not."""
    own = pixels(FAINT_AND_STRONG, Look(scale="channel", zoom=8))
    assert area(own, DARK) == area(own, YELLOW) == 2 * 2 * 8 * 8
    shared = pixels(FAINT_AND_STRONG, Look(scale="shared", zoom=8))
    assert area(shared, YELLOW) == 2 * 8 * 8
    assert area(shared, DARK) == 2 * 2 * 8 * 8


def test_channel_below_zero_does_not_change_the_colours_of_the_others() -> None:
    """Each channel has the map that fits it."""
    picture = pixels(np.array([[[0, 1]], [[-1, 1]]]), Look(scale="channel", zoom=9))
    assert area(picture, YELLOW) == area(picture, RED) == area(picture, BLUE) == 9 * 9


@pytest.mark.parametrize("zoom", [1, 5, 40])
def test_zoom_is_the_side_of_a_cell(zoom: int) -> None:
    """In pixels, and exactly."""
    picture = pixels(np.array([[[0, 1, 2], [3, 4, 9]]]), Look(zoom=zoom))
    assert area(picture, YELLOW) == zoom * zoom


def test_zoom_that_does_not_fit_is_refused() -> None:
    """The message names the zoom and the size of the maps."""
    with pytest.raises(InvalidParameter, match=r"16 channels of 100 x 50 cells .* zoom=20"):
        pixels(np.zeros((16, 50, 100)), Look(zoom=20))


@pytest.mark.parametrize(
    ("colormap", "low", "high"),
    [
        ("viridis", DARK, YELLOW),
        ("gray", (0, 0, 0), (255, 255, 255)),
        ("magma", (0, 0, 4), (252, 253, 191)),
    ],
)
def test_named_map_spans_the_values_wherever_zero_lies(
    colormap: Colormap, low: tuple[int, int, int], high: tuple[int, int, int]
) -> None:
    """The lowest value has its first colour, the highest its last."""
    picture = pixels(np.array([[[-3, 0], [1, 5]]]), Look(colormap=colormap, zoom=10))
    assert area(picture, low) == area(picture, high) == 100


def test_blue_red_keeps_zero_white() -> None:
    """Of values above zero, too, so that the same map can be had for all layers."""
    scale = fit_colormap(np.array([1.0, 4.0]), "blue-red")
    assert (scale.low, scale.high) == (-4.0, 4.0)
    assert tuple(scale.paint(np.array([4.0]))[0]) == RED
    picture = pixels(np.array([[[0, 2], [1, 4]]]), Look(colormap="blue-red", zoom=10))
    assert area(picture, (247, 247, 247)) == area(picture, RED) == 100


def test_number_of_broken_values_is_told() -> None:
    """The legend has room for it, beside the colour that they have."""
    values = np.zeros((1, 4, 4), np.float32)
    values[0, 0, :3] = np.nan
    with_three = pixels(values, Look())[:BODY]
    values[0, 1, 0] = np.inf
    assert not np.array_equal(with_three, pixels(values, Look())[:BODY])


@pytest.mark.parametrize("shape", [(3, 8, 60), (4, 60), (40, 60)])
def test_sound_is_drawn_as_it_is_liked(shape: tuple[int, ...]) -> None:
    """Spectrograms, curves and rows of colours: each channel in all colours of that map."""
    cells = shape[-1]
    timeline = Timeline(0.0, 2.0, 1 / cells, 2 / cells)
    scene = Scene(timeline, np.zeros(4000, np.float32), 4000)
    values = np.linspace(0, 1, np.prod(shape)).reshape(shape).astype(np.float32)
    look = Look(scale="channel", colormap="gray")
    picture = np.asarray(
        Image.open(BytesIO(render_sound_map(values, range(len(values)), "layer", scene, look)))
    )
    white = np.argwhere((picture[BODY + 46 :] == 255).all(axis=-1))
    per_channel = len(white) / len(values)
    assert per_channel > 5
    with pytest.raises(InvalidParameter, match="zoom is for maps of pictures"):
        render_sound_map(values, [0], "layer", scene, Look(zoom=3))


def test_thumbnails_of_single_numbers_have_one_cell() -> None:
    """A layer behind the pooling has no places: each channel is one cell."""
    tap = Tap(name="fc/Gemm", modules=(), op="Gemm", shape=(3,), stride=None, receptive_field=None)
    found = FeatureMap(tap, np.array([0.5, -1, 2], np.float32))

    assert [each.values.tolist() for each in channel_thumbnails(found, [2, 0])] == [[[2]], [[0.5]]]
