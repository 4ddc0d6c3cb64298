from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from service.contract.errors import InvalidParameter
from service.tasks.colors import NON_FINITE, fit_scale
from service.tasks.ink import PAPER, font, shorten
from service.tasks.mosaic import render_mosaic
from service.tasks.tiles import plan_grid

RED, BLUE = (178, 24, 43), (33, 102, 172)
DARK, YELLOW = (68, 1, 84), (253, 231, 37)


def pixels(values: np.ndarray, channels: list[int] | None = None) -> np.ndarray:
    """Return the rendered picture, (H, W, 3) uint8."""
    png = render_mosaic(values, channels or list(range(len(values))), "layer1.0.conv1/Conv")
    image = Image.open(BytesIO(png))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGB"))


def below_header(picture: np.ndarray) -> np.ndarray:
    return picture[96:]


def area(picture: np.ndarray, color: tuple[int, int, int]) -> int:
    """Return how many pixels have exactly that colour."""
    return int((picture == color).all(axis=-1).sum())


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


TILED = [
    (3, 9, 9),
    (64, 112, 112),
    (64, 300, 500),
    (2048, 7, 7),
    (2, 1, 6000),
    (2, 5000, 1),
    (4, 50),
]
BARRED = [(1, 1, 1), (10,), (1000,), (25088,), (512, 1, 1)]


@pytest.mark.parametrize("shape", [*TILED, *BARRED])
def test_any_feature_map_fits_the_picture(shape: tuple[int, ...]) -> None:
    """No side passes 2048 pixels, however many channels there are."""
    picture = pixels(normal(*shape))
    assert max(picture.shape) <= 2048
    assert area(picture, PAPER) < picture.shape[0] * picture.shape[1]


def test_cells_are_enlarged_without_smoothing() -> None:
    """A cell is a square of one colour: nothing is interpolated."""
    values = np.array([[[0, 1], [2, 4]]], np.float32)
    picture = below_header(pixels(values))
    assert area(picture, DARK) == area(picture, YELLOW) == 256 * 256


def test_channels_share_one_scale() -> None:
    """Two channels can be compared: the same value has the same colour in both."""
    values = np.stack([np.full((4, 4), 1.0), np.full((4, 4), 2.0)]).astype(np.float32)
    picture = below_header(pixels(values))
    assert area(picture, DARK) == area(picture, YELLOW) > 0


def test_maps_with_negative_values_are_white_at_zero() -> None:
    """Blue is below zero, red above, and equal distances look equally strong."""
    picture = below_header(pixels(np.array([[[-2, 0, 2, 1]]], np.float32)))
    assert area(picture, BLUE) == area(picture, RED) == area(picture, (247, 247, 247)) > 0
    scale = fit_scale(np.array([-0.5, 4.0]))
    assert (scale.low, scale.high) == (-4.0, 4.0)


@pytest.mark.parametrize("value", [0.0, 7.0, -3.0, 3e38, -3e38])
def test_constant_maps_have_one_colour(value: float) -> None:
    """There is no range to divide by, and no warning about it."""
    picture = below_header(pixels(np.full((2, 5, 5), value, np.float32)))
    assert area(picture, BLUE if value < 0 else DARK) > 10_000


def test_values_that_are_no_numbers_stand_out() -> None:
    """NaN and infinity have a colour that no value has, and do not spoil the scale."""
    values = np.array([[[0, 1, np.nan, np.inf, -np.inf]]], np.float32)
    picture = below_header(pixels(values))
    assert area(picture, NON_FINITE) == 3 * area(picture, YELLOW) == 3 * area(picture, DARK) > 0
    legend = pixels(values)[:96]
    assert area(legend, NON_FINITE) == 100


def test_map_of_nothing_but_nan_is_drawn() -> None:
    """Even then there is a picture that says so."""
    assert area(pixels(np.full((2, 3, 3), np.nan, np.float32)), NON_FINITE) > 10_000
    assert area(pixels(np.full(3, np.nan, np.float32)), NON_FINITE) > 1_000


def test_only_the_chosen_channels_are_drawn_in_their_order() -> None:
    """The first tile is the first channel asked for."""
    values = np.stack([np.full((8, 8), level) for level in (0.0, 1.0, 2.0)]).astype(np.float32)
    picture = below_header(pixels(values, [2, 0]))
    columns = np.flatnonzero((picture == YELLOW).all(axis=-1).any(axis=0))
    others = np.flatnonzero((picture == DARK).all(axis=-1).any(axis=0))
    assert columns.max() < others.min()


def test_bars_grow_from_zero_to_either_side() -> None:
    """A vector is drawn as bars: twice the value, twice the height."""
    picture = below_header(pixels(np.array([-2, 1, 2], np.float32)))
    half = (picture == fit_scale(np.array([-2.0, 2.0])).paint(np.array([1.0]))[0]).all(axis=-1)
    full = (picture == RED).all(axis=-1)
    assert abs(2 * half.any(axis=1).sum() - full.any(axis=1).sum()) <= 2
    below = np.flatnonzero((picture == BLUE).all(axis=-1).any(axis=1))
    assert below.max() > np.flatnonzero(full.any(axis=1)).max()


def test_large_maps_are_averaged_not_sampled() -> None:
    """A checkerboard too fine to show turns into its mean, and a NaN in it stays one."""
    board = np.indices((3000, 3000)).sum(axis=0) % 2
    values = board[None].astype(np.float32)
    values[0, 10, 10] = np.nan
    picture = below_header(pixels(values))
    assert area(picture, NON_FINITE) == 1
    middle = tuple(int(part) for part in fit_scale(np.array([0.0, 1.0])).paint(np.array([0.5]))[0])
    assert area(picture, middle) > 1_000_000


@pytest.mark.parametrize("shape", [(20_000, 3, 3), (100_000,)])
def test_more_channels_than_fit_are_refused(shape: tuple[int, ...]) -> None:
    """The message says what to do about it."""
    with pytest.raises(InvalidParameter, match="fewer with channels="):
        pixels(np.zeros(shape, np.float32))


def test_no_channels_at_all_are_refused() -> None:
    """An empty picture would help nobody."""
    with pytest.raises(InvalidParameter, match="at least one"):
        render_mosaic(normal(3, 4, 4), [], "a")


def test_long_titles_lose_their_middle() -> None:
    """Both ends of a module path tell something, the middle least."""
    path = "encoder.stages.3.blocks.11.attention.projection.conv1/Conv"
    short = shorten(path, 18, 300)
    assert font(18).getlength(short) <= 300
    assert short.startswith("encoder.")
    assert short.endswith("/Conv")
    assert shorten("fc/Gemm", 18, 300) == "fc/Gemm"
    assert shorten(path, 18, 1) == "…"


def test_grid_is_roughly_as_wide_as_a_screen() -> None:
    """64 square maps lie in a landscape, with no more columns than are filled."""
    grid = plan_grid(64, 16, 16, caption_px=12)
    assert 1.0 <= grid.size[0] / grid.size[1] <= 2.0
    assert grid.columns * grid.rows - 64 < grid.columns
    assert plan_grid(1, 7, 7, caption_px=12).enlarged == 73
