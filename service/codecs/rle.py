"""COCO's compressed run lengths, by COCO's own library."""

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco


class Rle(TypedDict):
    """size: (height, width). counts: the runs, column by column, as COCO's tools write them."""

    size: tuple[int, int]
    counts: str


def encode_rle(mask: NDArray[np.bool_]) -> Rle:
    """Return the run lengths of a mask (H, W), True inside."""
    height, width = mask.shape
    found = coco.encode(np.asfortranarray(mask, np.uint8))
    return {"size": (height, width), "counts": found["counts"].decode("ascii")}
