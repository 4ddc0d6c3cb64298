"""Masks as run lengths in the compressed form of COCO, which annotation tools read."""

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco


class Rle(TypedDict):
    """size: height and width. counts: run lengths down the columns, in COCO's own letters."""

    size: list[int]
    counts: str


def encode_rle(mask: NDArray[np.bool_]) -> Rle:
    """Return the run lengths of one class's mask, (H, W), True where the class is."""
    encoded = coco.encode(np.asfortranarray(mask.view(np.uint8)))
    return {"size": [int(side) for side in encoded["size"]], "counts": encoded["counts"].decode()}
