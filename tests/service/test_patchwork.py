import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.tasks.patchwork import Grid, grid_of, run_in_tiles

MULTIPLE = 8


@given(st.integers(1, 60), st.integers(8, 40))
def test_tiles_cover_the_axis_on_the_grid(cells: int, tile_cells: int) -> None:
    """Tiles lie on multiples, inside the picture, and every pixel counts."""
    grid = grid_of(cells * MULTIPLE, tile_cells * MULTIPLE, MULTIPLE)
    assert all(start % MULTIPLE == 0 for start in grid.starts)
    assert grid.starts[0] == 0
    assert grid.starts[-1] + grid.tile == grid.length
    assert grid.total().min() > 0.1


def test_weight_is_nothing_where_a_neighbour_knows_better() -> None:
    """At a tile's edge inside the picture nothing counts; at the picture's border all does."""
    grid = Grid(48, 32, (0, 16))
    np.testing.assert_array_equal(grid.weights(0)[:16], 1)
    assert grid.weights(0)[-1] == 0
    assert grid.weights(1)[0] == 0
    np.testing.assert_array_equal(grid.weights(1)[16:], 1)
    np.testing.assert_allclose(grid.total(), 1)


def blurred(tile: np.ndarray) -> np.ndarray:
    """Segment into three classes by the mean of 5 x 5 pixels, with zeros beyond the border."""
    padded = np.pad(tile.astype(np.float32), ((2, 2), (2, 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(0, 1))
    logits = windows.mean((3, 4)).transpose(2, 0, 1) / 32
    powers = np.exp(logits - logits.max(0))
    return powers / powers.sum(0)


@pytest.mark.parametrize("size", [(90, 200), (200, 90), (64, 64), (17, 401), (1, 1), (150, 150)])
def test_tiles_agree_with_the_whole(size: tuple[int, int]) -> None:
    """A net that sees less than the overlap gives in tiles what it gives at once."""
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    outer = (-(-size[0] // 8) * 8, -(-size[1] // 8) * 8)
    margins = [(0, outer[0] - size[0]), (0, outer[1] - size[1]), (0, 0)]
    whole = blurred(np.pad(picture, margins, mode="edge"))
    tiled = np.full_like(whole, np.nan)
    seen: list[tuple[int, ...]] = []

    def run(tile: np.ndarray) -> np.ndarray:
        seen.append(tile.shape)
        return blurred(tile)

    for place, part in run_in_tiles(picture, outer, 64, 8, 3, run):
        tiled[(slice(None), *place)] = part
    np.testing.assert_allclose(tiled, whole, atol=1e-5)
    assert all(max(shape[:2]) <= 64 for shape in seen)


def test_each_part_is_given_once() -> None:
    """Parts lie side by side: together they are the picture, none of it twice."""
    counted = np.zeros((96, 160), int)
    picture = np.zeros((96, 160, 3), np.uint8)
    for place, _ in run_in_tiles(picture, (96, 160), 64, 8, 3, blurred):
        counted[place] += 1
    assert (counted == 1).all()
