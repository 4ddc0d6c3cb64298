import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco

from service.codecs.rle import encode_rle

MASKS = arrays.arrays(np.bool_, st.tuples(st.integers(1, 20), st.integers(1, 20)))


@given(mask=MASKS)
def test_masks_come_back(mask: np.ndarray) -> None:
    """By COCO's own decoder, and the area is the number of pixels."""
    encoded = encode_rle(mask)
    assert np.array_equal(coco.decode(encoded), mask)
    assert coco.area(encoded) == mask.sum()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (300, 7)])
@pytest.mark.parametrize("value", [False, True])
def test_masks_of_all_or_nothing_come_back(shape: tuple[int, int], value: bool) -> None:
    """Whatever the shape, in both of which there is but one run."""
    mask = np.full(shape, value)
    assert np.array_equal(coco.decode(encode_rle(mask)), mask)


def test_counts_are_text_and_go_down_the_columns() -> None:
    """By hand: 2 outside, 3 inside, 1 outside, each a letter 48 above its number."""
    mask = np.array([[0, 1, 1], [0, 1, 0]], np.bool_)
    assert encode_rle(mask) == {"size": [2, 3], "counts": "231"}


def test_part_of_a_larger_mask_is_encoded() -> None:
    """The layout in memory does not matter."""
    mask = np.random.default_rng(0).random((20, 30)) < 0.5
    for part in (mask[::2, 3:17], mask.T):
        assert np.array_equal(coco.decode(encode_rle(part)), part)
