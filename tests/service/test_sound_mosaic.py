from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from service.contract.errors import InvalidParameter
from service.tasks.colors import NON_FINITE, fit_scale
from service.tasks.ink import FAINT, MUTED, PAPER
from service.tasks.panels import plan_spectrograms
from service.tasks.sound_mosaic import Scene, render_sound_map
from service.tasks.timeline import Timeline

DARK, YELLOW, RED, BLUE = (68, 1, 84), (253, 231, 37), (178, 24, 43), (33, 102, 172)
BODY = 96  # below header and margin
SOUND = 46


def scene(cells: int, seconds: float = 2.0, **how: object) -> Scene:
    """Return a window of noise that the cells fill from end to end."""
    cell_s = seconds / cells
    waveform = np.random.default_rng(0).uniform(-1, 1, 4000).astype(np.float32)
    timeline = Timeline(0.0, seconds, cell_s / 2, cell_s)
    return Scene(**{"timeline": timeline, "waveform": waveform, "heard": 4000, **how})


def pixels(values: np.ndarray, shown: Scene | None = None) -> np.ndarray:
    """Return the rendered picture, (H, W, 3) uint8."""
    shown = shown or scene(values.shape[-1])
    png = render_sound_map(values, range(len(values)), "layer", shown)
    return np.asarray(Image.open(BytesIO(png)).convert("RGB"))


def where(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    """Return the places (row, column) below the waveform that have exactly that colour."""
    places = np.argwhere((picture == color).all(axis=-1))
    return places[places[:, 0] >= BODY + SOUND]


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    "shape",
    [
        (1, 64, 500),
        (16, 64, 61),
        (64, 16, 16),
        (512, 8, 8),
        (2048, 4, 4),
        (2, 513, 9000),
        (1, 3000, 3),
        (256, 300, 300),
        (1, 1),
        (1, 160_000),
        (8, 33),
        (9, 33),
        (64, 20_000),
        (1024, 125),
        (3000, 40),
    ],
)
def test_any_map_of_a_sound_fits_the_picture(shape: tuple[int, ...]) -> None:
    """No side passes 2048 pixels, however many channels and cells there are."""
    picture = pixels(normal(*shape))
    assert max(picture.shape) <= 2048
    assert len(where(picture, PAPER)) < picture.shape[0] * picture.shape[1]


def test_low_bands_are_at_the_bottom() -> None:
    """A spectrogram stands upright, and later is further to the right."""
    values = np.zeros((1, 4, 6), np.float32)
    values[0, 0, 5] = 1  # the lowest band, at the end
    picture = pixels(values)
    bright, dark = where(picture, YELLOW), where(picture, DARK)
    assert bright[:, 0].max() == dark[:, 0].max()
    assert bright[:, 1].max() == dark[:, 1].max()
    assert bright[:, 0].min() > np.median(dark[:, 0])


def test_cells_lie_where_their_seconds_are() -> None:
    """Of a window of 2 s, cells from 0.5 s to 1.5 s fill the middle half, and nothing else."""
    values = np.array([[[0, 1]]], np.float32).repeat(4, axis=1)
    shown = scene(2, timeline=Timeline(10.0, 12.0, 10.75, 0.5))
    picture = pixels(values, shown)
    sound = np.argwhere((picture[BODY : BODY + SOUND] == MUTED).all(axis=-1))[:, 1]
    first, width = sound.min(), sound.max() - sound.min()
    for color, begin, end in ((DARK, 0.25, 0.5), (YELLOW, 0.5, 0.75)):
        columns = where(picture, color)[:, 1]
        assert abs(columns.min() - (first + begin * width)) <= 2
        assert abs(columns.max() - (first + end * width)) <= 2


def test_few_channels_are_curves_from_zero() -> None:
    """Twice the value, twice the height, and what is negative hangs below."""
    picture = pixels(np.array([[-2, 1, 2]], np.float32))
    high, low = where(picture, RED), where(picture, BLUE)
    half = where(picture, tuple(fit_scale(np.float32([-2, 2])).paint(np.float32([1]))[0]))
    assert abs(np.ptp(half[:, 0]) * 2 - np.ptp(high[:, 0])) <= 2
    assert low[:, 0].max() > high[:, 0].max()
    assert low[:, 1].max() < half[:, 1].min() < high[:, 1].min()


def test_peak_of_a_long_curve_is_not_lost() -> None:
    """One cell of a hundred thousand is still drawn to its full height."""
    values = np.zeros((1, 100_000), np.float32)
    values[0, 70_000] = 5
    places = where(pixels(values), YELLOW)
    assert len(places) > 150
    assert np.ptp(places[:, 1]) == 0


def test_strongest_cell_is_shown_where_rows_are_too_fine() -> None:
    """An oscillation stays visible, which would cancel out in a mean."""
    values = np.zeros((20, 50_000), np.float32)
    values[:, 20_000:30_000] = np.where(np.arange(10_000) % 2, 1, -0.9)
    picture = pixels(values)
    loud = where(picture, RED)
    assert len(loud) > 20 * 200 * 20
    assert not len(where(picture, BLUE))
    assert np.ptp(loud[:, 1]) < 0.25 * picture.shape[1]


def test_spectrograms_that_are_too_fine_are_averaged() -> None:
    """A checkerboard turns into its mean, and a NaN in it stays one."""
    values = (np.indices((3000, 9000)).sum(axis=0) % 2)[None].astype(np.float32)
    values[0, 10, 10] = np.nan
    picture = pixels(values)
    middle = tuple(int(part) for part in fit_scale(np.float32([0, 1])).paint(np.float32([0.5]))[0])
    assert len(where(picture, NON_FINITE)) in (1, 2)
    assert len(where(picture, middle)) > 500_000


@pytest.mark.parametrize("shape", [(3, 8, 10), (2, 10), (20, 10)])
def test_values_that_are_no_numbers_stand_out(shape: tuple[int, ...]) -> None:
    """NaN has a colour that no value has, in every kind of picture."""
    values = normal(*shape)
    assert not len(where(pixels(values), NON_FINITE))
    values[(0,) * len(shape)] = np.nan
    assert len(where(pixels(values), NON_FINITE)) > 10
    assert len(where(pixels(np.full(shape, np.nan, np.float32)), NON_FINITE)) > 1000


def test_zero_is_nothing_special_in_a_spectrogram() -> None:
    """Logarithms are coloured from the lowest to the highest, wherever zero lies."""
    values = np.array([[[-8, 2], [-8, 2]]], np.float32)
    picture = pixels(values, scene(2, spectrogram=True))
    assert len(where(picture, DARK)) == pytest.approx(len(where(picture, YELLOW)), rel=0.01)
    assert len(where(picture, DARK)) > 1000
    assert len(where(pixels(values), BLUE)) > 1000


def test_what_fills_a_short_sound_is_paler() -> None:
    """Of the waveform above, only what was heard is drawn in full."""
    picture = pixels(normal(1, 8, 8), scene(8, heard=1000))[BODY : BODY + SOUND]
    heard, filled = (np.argwhere((picture == color).all(axis=-1))[:, 1] for color in (MUTED, FAINT))
    quarter = heard.min() + (filled.max() - heard.min()) / 4
    assert abs(heard.max() - quarter) <= 12


def test_more_channels_than_fit_are_refused() -> None:
    """The message says what to do about it."""
    for shape in ((100_000, 4), (20_000, 4, 4)):
        with pytest.raises(InvalidParameter, match="fewer with channels="):
            pixels(np.zeros(shape, np.float32))
    with pytest.raises(InvalidParameter, match="at least one"):
        render_sound_map(normal(2, 4), [], "layer", scene(4))


@pytest.mark.parametrize(
    ("begin", "end", "labels"),
    [
        (0, 2, ["0.0", "0.5", "1.0", "1.5", "2.0"]),
        (0.1, 0.3, ["0.10", "0.15", "0.20", "0.25", "0.30"]),
        (59.5, 63.0, ["60", "61", "62", "63"]),
        (3500, 3530, ["3500", "3510", "3520", "3530"]),
    ],
)
def test_axis_has_round_numbers_where_they_belong(
    begin: float, end: float, labels: list[str]
) -> None:
    """1, 2 or 5 times a power of ten apart, no closer than asked."""
    ticks = Timeline(begin, end, 0, 1).ticks(width_px=1000, apart_px=200)
    assert [label for _, label in ticks] == labels
    for x, label in ticks:
        assert x == round((float(label) - begin) / (end - begin) * 1000)


def test_panels_fill_the_screen_in_landscape() -> None:
    """One is as wide as the picture, sixteen lie in three columns."""
    one, many = plan_spectrograms(1, 64, 0), plan_spectrograms(16, 64, 0)
    assert (one.columns, many.columns) == (1, 3)
    assert one.panel[0] > 1000
    assert one.panel[1] > 300
    assert many.size[0] > many.size[1]
