"""COCO's compressed run lengths to masks."""

import numpy as np
from numpy.typing import NDArray

# A letter holds five bits, the lowest first; one more says whether others follow.
_FIRST_LETTER, _BITS, _MORE, _SIGN = 48, 5, 0x20, 0x10


def decode_rle(counts: str, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask (height, width), True where the class is.

    counts: lengths of runs down the columns, the first of them outside. From the fourth on,
        each is told by what it differs from the one before the last.
    Raises: ValueError if the runs do not fill the mask.
    Source: rleFrString in pycocotools' maskApi.c.
    """
    letters = np.frombuffer(counts.encode("ascii"), np.uint8).astype(np.int64) - _FIRST_LETTER
    last = np.flatnonzero(letters & _MORE == 0)
    first = np.concatenate(([0], last[:-1] + 1))
    lengths = last - first + 1
    if not len(last) or last[-1] + 1 != len(letters):
        raise ValueError("the run lengths are cut short")
    places = np.arange(len(letters)) - np.repeat(first, lengths)
    values = np.add.reduceat((letters & (_MORE - 1)) << _BITS * places, first)
    values -= np.where(letters[last] & _SIGN, 1 << _BITS * lengths, 0)
    values[1::2] = values[1::2].cumsum()
    values[2::2] = values[2::2].cumsum()
    if values.min() < 0 or values.sum() != size[0] * size[1]:
        raise ValueError(f"the run lengths do not fill {size[0]} x {size[1]} pixels")
    inside = np.repeat(np.arange(len(values)) % 2 == 1, values)
    return inside.reshape(size[1], size[0]).T
