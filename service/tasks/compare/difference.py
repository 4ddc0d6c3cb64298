"""How far two activations of one shape are from each other."""

from math import isfinite, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Numbers that are worked on at once, in double precision.
_BLOCK = 2**20


class Difference(NamedTuple):
    """Figures over all cells; None where NaN or an infinity makes one meaningless.

    relative: the length of the difference over that of the first; 0 if they are equal, and None
        if only the first is zero throughout.
    cosine: of the angle between the two, None if one is zero throughout.
    """

    max_absolute: float | None
    mean_absolute: float | None
    relative: float | None
    cosine: float | None


def difference(one: NDArray[np.float32], other: NDArray[np.float32]) -> Difference:
    """Return the figures of two arrays of one shape.

    >>> difference(np.float32([3, 4]), np.float32([3, 3]))
    Difference(max_absolute=1.0, mean_absolute=0.5, relative=0.2, cosine=0.9899494936611665)
    """
    largest = total = squares = along = own = others = 0.0
    flat, flat_other = one.reshape(-1), other.reshape(-1)
    with np.errstate(invalid="ignore", over="ignore"):
        for first in range(0, flat.size, _BLOCK):
            a = flat[first : first + _BLOCK].astype(np.float64)
            b = flat_other[first : first + _BLOCK].astype(np.float64)
            apart = np.abs(a - b)
            largest = max(largest, float(apart.max()))
            total += float(apart.sum())
            squares += float(apart @ apart)
            along, own, others = along + float(a @ b), own + float(a @ a), others + float(b @ b)
    if not isfinite(total):
        return Difference(None, None, None, None)
    cosine = along / sqrt(own * others) if own * others else None
    return Difference(largest, total / max(flat.size, 1), _ratio(squares, own), cosine)


def _ratio(squares: float, own: float) -> float | None:
    if not squares:
        return 0.0
    # the smallest of numbers have squares that are zero
    return sqrt(squares) / sqrt(own) if own else None
