"""Inputs looked at elsewhere: what each place of a moved one shows, with the border mirrored.

A source says for every place of what is moved where in the original it comes from: (axes, ...)
float64, in whole places from the first one's middle on, also where that lies outside.
"""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.contract.preprocess import Pixels

Source = NDArray[np.float64]
Value = TypeVar("Value", bound=np.generic)
# So near the border, what a convolution sees beyond it counts most; of small maps, an eighth.
_MARGIN = 16
_MARGIN_SHARE = 8


def at_rest(size: tuple[int, ...]) -> Source:
    """Return the source of what is not moved, (axes, *size).

    >>> at_rest((1, 3)).tolist()
    [[[0.0, 0.0, 0.0]], [[0.0, 1.0, 2.0]]]
    """
    return np.indices(size).astype(np.float64)


def mirrored(places: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Return the places within 0..size-1 that mirrors at both borders show.

    >>> mirrored(np.array([-2, -1, 0, 2, 3, 4, 6]), 3).tolist()
    [1, 0, 0, 2, 2, 1, 0]
    """
    turned: NDArray[np.intp] = places % (2 * size)
    return np.minimum(turned, 2 * size - 1 - turned)


def warp(pixels: Pixels, source: Source) -> Pixels:
    """Return the picture (H, W, C) as its source (2, H, W) shows it.

    Between four pixels it is interpolated linearly; where the source is whole, pixels are copied.
    """
    height, width = pixels.shape[:2]
    whole = np.floor(source).astype(np.intp)
    down, right = (source - whole).astype(np.float32)[..., None]
    rows = [mirrored(whole[0] + step, height) for step in (0, 1)]
    columns = [mirrored(whole[1] + step, width) for step in (0, 1)]
    above, below = (
        pixels[row, columns[0]] * (1 - right) + pixels[row, columns[1]] * right for row in rows
    )
    warped: Pixels = np.rint(above * (1 - down) + below * down).astype(np.uint8)
    return warped


def carried(mask: NDArray[Value], source: Source) -> tuple[NDArray[Value], NDArray[np.bool_]]:
    """Return the mask as it would be if it had moved along, and where that counts.

    mask: of what is not moved, of the size that the source has.
    Counted are places that lie away from the border, and came from away from it.
    """
    nearest = np.rint(source).astype(np.intp)
    counted = np.ones(mask.shape, np.bool_)
    parts: list[NDArray[Any]] = []
    for axis, (places, size) in enumerate(zip(nearest, mask.shape, strict=True)):
        margin = min(_MARGIN, size // _MARGIN_SHARE)
        own = np.arange(size).reshape([-1 if other == axis else 1 for other in range(mask.ndim)])
        for place in (places, own):
            counted &= (place >= margin) & (place < size - margin)
        parts.append(np.clip(places, 0, size - 1))
    return mask[tuple(parts)], counted
