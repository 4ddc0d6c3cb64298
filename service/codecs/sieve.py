"""Masks without specks."""

import numpy as np
from numpy.typing import NDArray

from service.contract.masks import Mask

Distance = NDArray[np.int32]  # (H, W) in pixels
# More than any distance in a mask; the sum of two of them does not overflow.
_FAR = np.int32(2**29)


def sieve(mask: Mask, min_area_px: int) -> Mask:
    """Return the mask with each region of fewer pixels given to the regions around it.

    mask: (H, W) class indices. A region is all of one class that hangs together by pixels' edges.
    Returns: in place of a small region, pixels of the class of the nearest pixel of a large one,
        counted in steps to the side, up or down. All regions are large afterwards. It is the mask
        itself if no region is too small, or if all are, since none is better than another then.
    """
    if min_area_px <= 1:
        return mask
    small = _find_small(mask, min_area_px)
    if small.all() or not small.any():
        return mask
    return _fill(mask, small)


def _find_small(mask: Mask, min_area_px: int) -> NDArray[np.bool_]:
    """Return where the regions of fewer pixels are, (H, W)."""
    import cv2  # here, because it takes 0.1 s that the start of a server need not wait for

    small = np.zeros(mask.shape, np.bool_)
    pixels = cv2.calcHist([mask], [0], None, [256], [0, 256])
    for class_index in np.flatnonzero(pixels).tolist():
        inside = (mask == class_index).view(np.uint8)
        left, top, width, height = cv2.boundingRect(inside)
        box = np.s_[top : top + height, left : left + width]
        _, regions, facts, _ = cv2.connectedComponentsWithStats(inside[box], connectivity=4)
        too_small = facts[:, cv2.CC_STAT_AREA] < min_area_px
        too_small[0] = False  # what is of other classes
        small[box] |= too_small[regions]
    return small


def _fill(mask: Mask, gaps: NDArray[np.bool_]) -> Mask:
    """Return the mask with the class of the nearest other pixel in each gap.

    A nearest one can be reached along the row and then along a column, so classes are handed on
    within each row first, and then from row to row, down and up.
    """
    filled, distance = mask.copy(), np.where(gaps, _FAR, np.int32(0))
    rows = np.flatnonzero(gaps.any(axis=1)).tolist()
    for row in rows:
        _fill_row(filled[row], distance[row])
    for row in rows:
        if row > 0:
            _hand_on(filled, distance, row - 1, row)
    for row in reversed(rows):
        if row + 1 < len(mask):
            _hand_on(filled, distance, row + 1, row)
    return filled


def _fill_row(filled: Mask, distance: Distance) -> None:
    """Hand on the classes of a row, (W,), from where the distance is 0."""
    here = np.arange(len(filled), dtype=np.int32)
    before = np.maximum.accumulate(np.where(distance, -_FAR, here))
    after = np.minimum.accumulate(np.where(distance, _FAR, here)[::-1])[::-1]
    np.minimum(here - before, after - here, out=distance)
    nearest = np.where(here - before <= after - here, before, after)
    filled[:] = filled.take(nearest, mode="clip")  # without one in its row, it will get another


def _hand_on(filled: Mask, distance: Distance, source: int, target: int) -> None:
    """Hand on the classes of one row to the next where that brings them nearer."""
    farther = distance[source] + 1
    nearer = farther < distance[target]
    distance[target, nearer] = farther[nearer]
    filled[target, nearer] = filled[source, nearer]
