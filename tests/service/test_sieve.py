import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from service.codecs.sieve import sieve

SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12))
MASKS = arrays.arrays(np.uint8, SHAPES, elements=st.integers(0, 3))


def areas(mask: np.ndarray) -> np.ndarray:
    """Return for every pixel how large its region is."""
    found = np.zeros(mask.shape, int)
    for class_index in np.unique(mask):
        inside = (mask == class_index).astype(np.uint8)
        _, regions, facts, _ = cv2.connectedComponentsWithStats(inside, connectivity=4)
        found[inside > 0] = facts[regions[inside > 0], cv2.CC_STAT_AREA]
    return found


@given(mask=MASKS, min_area=st.integers(2, 15))
@settings(deadline=None)
def test_no_small_region_is_left(mask: np.ndarray, min_area: int) -> None:
    """Unless all are small; what was large stays as it was, and the mask given is not touched."""
    given, before = mask.copy(), areas(mask)
    sieved = sieve(mask, min_area)
    assert np.array_equal(mask, given)
    if before.max() < min_area:
        assert np.array_equal(sieved, mask)
        return
    assert areas(sieved).min() >= min_area
    kept = before >= min_area
    assert np.array_equal(sieved[kept], mask[kept])
    assert np.array_equal(sieve(sieved, min_area), sieved)


@given(mask=MASKS, min_area=st.integers(2, 15))
@settings(deadline=None)
def test_gaps_take_the_nearest_class(mask: np.ndarray, min_area: int) -> None:
    """No pixel of a large region is nearer than one of the class that was given."""
    kept = areas(mask) >= min_area
    if not kept.any():
        return
    rows, columns = np.nonzero(kept)
    sieved = sieve(mask, min_area)
    for row, column in np.argwhere(~kept):
        steps = np.abs(rows - row) + np.abs(columns - column)
        nearest = steps == steps.min()
        assert sieved[row, column] in mask[rows[nearest], columns[nearest]]


@pytest.mark.parametrize("min_area", [0, 1])
def test_nothing_is_below_one_pixel(min_area: int) -> None:
    """Then the mask comes back itself."""
    mask = np.array([[0, 1], [2, 3]], np.uint8)
    assert sieve(mask, min_area) is mask


def test_regions_that_touch_at_corners_are_two() -> None:
    """Two pixels on a diagonal are two regions of one, not one of two."""
    mask = np.zeros((6, 6), np.uint8)
    mask[2, 2] = mask[3, 3] = 1
    assert not sieve(mask, 2).any()


def test_region_that_is_just_large_enough_stays() -> None:
    """min_area is the smallest area that stays."""
    mask = np.zeros((6, 6), np.uint8)
    mask[1, 1:5] = 1
    assert np.array_equal(sieve(mask, 4), mask)
    assert not sieve(mask, 5).any()


def test_whole_rows_of_specks_are_filled() -> None:
    """From above and from below, where there is nothing in the row itself; halfway they meet."""
    mask = np.full((9, 8), 7, np.uint8)
    mask[2:7] = np.indices((5, 8)).sum(axis=0) % 2
    mask[7:] = 9
    assert sieve(mask, 9).tolist() == [[7] * 8] * 4 + [[7] * 8] + [[9] * 8] * 4


def test_hole_is_filled_and_its_island_with_it() -> None:
    """A small region within a small region goes the same way."""
    mask = np.zeros((9, 9), np.uint8)
    mask[2:7, 2:7] = 1
    mask[4, 4] = 2
    assert not sieve(mask, 26).any()
    assert sieve(mask, 20).sum() == 25
