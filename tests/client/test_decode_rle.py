import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco

from service.client.rle import decode_rle

MASKS = arrays.arrays(np.bool_, st.tuples(st.integers(1, 30), st.integers(1, 30)))


def encoded(mask: np.ndarray) -> tuple[str, tuple[int, int]]:
    """Return what COCO's own tools make of it."""
    found = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return found["counts"].decode(), mask.shape


@given(mask=MASKS)
def test_masks_come_back(mask: np.ndarray) -> None:
    """Whatever COCO's encoder wrote is read."""
    np.testing.assert_array_equal(decode_rle(*encoded(mask)), mask)


def test_large_masks_come_back() -> None:
    """Runs of a million pixels take several letters, and shrink again."""
    mask = np.zeros((1500, 2000), np.bool_)
    mask[:, 700:1400] = True
    mask[3::7, ::5] ^= True
    np.testing.assert_array_equal(decode_rle(*encoded(mask)), mask)


def test_letters_are_read_as_by_hand() -> None:
    """2 outside, 3 inside, 1 outside, down the columns."""
    np.testing.assert_array_equal(decode_rle("231", (2, 3)), [[0, 1, 1], [0, 1, 0]])


@pytest.mark.parametrize("counts", ["", "2", "23", "2311", "23Q", "2äö", "2N5"])
def test_runs_that_do_not_fill_the_mask_are_refused(counts: str) -> None:
    """A broken answer is never taken for a mask."""
    with pytest.raises(ValueError, match=r"run lengths|codec"):
        decode_rle(counts, (2, 3))
