import numpy as np
import pytest

from service.contract.errors import InvalidParameter
from service.tasks.stability.moves import COARSE, PictureMoves, Sweep, smooth_field
from service.tasks.stability.sound_moves import SoundMoves
from service.tasks.stability.warp import at_rest, carried, warp

SIZES = [(1, 1), (2, 3), (9, 9), (28, 28), (32, 48), (112, 112), (300, 200)]


def picture(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def sweep_of(moves: PictureMoves | SoundMoves, transform: str, number: int = 0) -> Sweep:
    return moves.sweeps(transform)[number]  # type: ignore[arg-type]


@pytest.mark.parametrize(("number", "down", "right"), [(0, 0, 1), (1, 1, 0), (2, 1, 1)])
@pytest.mark.parametrize("amount", [-8, -3, 0, 1, 8])
def test_shift_copies_pixels_and_mirrors_the_border(
    number: int, down: int, right: int, amount: int
) -> None:
    """A shift by whole pixels is a cut out of the picture among its mirror images."""
    pixels = picture(32, 40, 3)
    moves = PictureMoves(pixels)
    around = np.pad(pixels, ((8, 8), (8, 8), (0, 0)), mode="symmetric")
    top, left = 8 - amount * down, 8 - amount * right

    moved = moves.moved(sweep_of(moves, "shift", number), amount)
    assert np.array_equal(moved, around[top : top + 32, left : left + 40])


def test_turn_is_anticlockwise() -> None:
    """By a right angle it is what NumPy calls rot90, to the pixel."""
    pixels = picture(9, 9, 1)
    moves = PictureMoves(pixels)
    assert np.array_equal(moves.moved(sweep_of(moves, "rotate"), 90), np.rot90(pixels))


def test_factor_enlarges_around_the_middle() -> None:
    """Of two pixels, 0 and 100, twice as large: a quarter of the way and three quarters."""
    moves = PictureMoves(np.array([[[0], [100]]], np.uint8))
    sweep = sweep_of(moves, "scale")
    assert moves.moved(sweep, 2.0).reshape(-1).tolist() == [25, 75]
    # made smaller, each ends half a pixel outside, where the mirror begins
    assert moves.moved(sweep, 0.5).reshape(-1).tolist() == [0, 100]


def test_between_pixels_it_is_interpolated() -> None:
    """Half a pixel right and down: the mean of four."""
    pixels = np.array([[[0], [100]], [[50], [30]]], np.uint8)
    assert warp(pixels, at_rest((2, 2)) + 0.5)[0, 0, 0] == 45


@pytest.mark.parametrize("transform", ["shift", "rotate", "scale", "deform"])
@pytest.mark.parametrize("size", SIZES)
def test_at_rest_nothing_moves(transform: str, size: tuple[int, int]) -> None:
    """The amount that is called rest is among them, and leaves every pixel where it is."""
    moves = PictureMoves(picture(*size, 3))
    for sweep in moves.sweeps(transform):  # type: ignore[arg-type]
        assert sweep.rest in sweep.amounts
        assert list(sweep.amounts) == sorted(set(sweep.amounts))
        assert np.array_equal(moves.moved(sweep, sweep.rest), moves.rest)


@pytest.mark.parametrize("size", SIZES)
def test_runs_are_bounded(size: tuple[int, int]) -> None:
    """All moves of a picture together are at most 96 runs, and 48 of a model that takes long."""
    for steps, most in ((None, 96), (COARSE, 48)):
        pixels = picture(*size, 1)
        moves = PictureMoves(pixels, steps) if steps else PictureMoves(pixels)
        sweeps = [sweep for name in moves.transforms for sweep in moves.sweeps(name)]
        assert 1 + sum(len(sweep.moving) for sweep in sweeps) <= most


def test_bend_is_as_long_as_it_says_and_only_bends() -> None:
    """Root mean square 1, no shift of the whole, the same each time, another for another seed."""
    field = smooth_field((40, 56), smooth_px=5, seed=0)
    assert np.mean(np.sum(field**2, axis=0)) == pytest.approx(1)
    assert np.abs(field.mean(axis=(1, 2))).max() < 1e-12
    assert np.array_equal(field, smooth_field((40, 56), smooth_px=5, seed=0))
    assert not np.allclose(field, smooth_field((40, 56), smooth_px=5, seed=1))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("number", [0, 1])
def test_strongest_bend_folds_nothing(size: tuple[int, int], number: int) -> None:
    """What lies on one side of a pixel stays there: the map keeps its orientation everywhere."""
    moves = PictureMoves(picture(*size, 1))
    sweep = sweep_of(moves, "deform", number)
    down, right = moves.source(sweep, sweep.amounts[-1])
    if min(size) > 1:
        turns = np.gradient(down, axis=0) * np.gradient(right, axis=1)
        turns -= np.gradient(down, axis=1) * np.gradient(right, axis=0)
        assert turns.min() > 0
    else:
        assert np.array_equal(np.stack([down, right]), at_rest(size))


def test_mask_is_carried_along_and_counted_away_from_the_border() -> None:
    """Shifted right by 3: columns 2-4 came from too near the left border, 14 and 15 are there."""
    mask = np.arange(16, dtype=np.uint8) * np.ones((12, 1), np.uint8)
    moves = PictureMoves(picture(12, 16, 3))
    expected, counted = carried(mask, moves.source(sweep_of(moves, "shift"), 3))
    # of 12 and 16 an eighth is 1 and 2
    assert counted.any(axis=1).tolist() == [False, *[True] * 10, False]
    assert np.flatnonzero(counted[5]).tolist() == list(range(5, 14))
    assert expected[5][counted[5]].tolist() == list(range(2, 11))


def test_gain_and_time_are_exact_for_sounds() -> None:
    """6 dB less is half as loud; 10 ms later is 80 samples later, and mirrored before that."""
    waveform = np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32)
    moves = SoundMoves(waveform, 8000)
    quieter = moves.moved(sweep_of(moves, "gain"), -6)
    assert np.allclose(quieter, waveform * 0.501187, rtol=1e-5)
    later = moves.moved(sweep_of(moves, "shift"), 10)
    assert np.array_equal(later[80:], waveform[:-80])
    assert np.array_equal(later[:80], waveform[:80][::-1])


def test_faster_sound_is_higher() -> None:
    """A tone of 400 Hz is one of 480 Hz at 1.2 times the speed, around the same middle."""
    time = np.arange(4000) / 8000
    moves = SoundMoves(np.sin(2 * np.pi * 400 * time).astype(np.float32), 8000)
    faster = moves.moved(sweep_of(moves, "speed"), 1.2)
    spectrum = np.abs(np.fft.rfft(faster[1000:3000]))
    assert len(faster) == 4000
    assert np.argmax(spectrum) * 8000 / 2000 == pytest.approx(480)


def test_short_windows_are_shifted_less() -> None:
    """By a quarter of the window at most, and by 80 ms."""
    for samples, most in ((4000, 80), (1600, 50), (16, 0.5)):
        moves = SoundMoves(np.zeros(samples, np.float32), 8000)
        assert sweep_of(moves, "shift").amounts[-1] == most


def test_what_makes_no_sense_is_refused_with_what_does() -> None:
    """Sounds are not turned, and pictures not made louder."""
    with pytest.raises(InvalidParameter, match="takes sounds, for which there is shift, gain"):
        SoundMoves(np.zeros(16, np.float32), 8000).sweeps("rotate")
    with pytest.raises(InvalidParameter, match="takes pictures, for which there is shift, rotate"):
        PictureMoves(picture(8, 8, 3)).sweeps("gain")
