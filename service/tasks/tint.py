"""Strength as a tint over other colours: what is strong glows, what is weak stays as it is."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# From orange over yellow: on photographs and on spectrograms alike, strong means bright and warm.
_WEAK, _STRONG = np.array([[255, 60, 0], [255, 235, 60]], np.float32)
_MOST_OPAQUE = 0.75


def tint(colors: NDArray[np.uint8], strength: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Return the colours (..., 3) with a tint as strong as told, (...) in 0..1."""
    share = strength.astype(np.float32)[..., None]
    glow = _WEAK + (_STRONG - _WEAK) * share
    opacity = _MOST_OPAQUE * np.sqrt(share)
    tinted: NDArray[np.uint8] = np.rint(colors + (glow - colors) * opacity).astype(np.uint8)
    return tinted


def strength_of(values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return what is above zero as shares of the largest value, in 0..1; zeros if there is none."""
    above = np.maximum(values, 0).astype(np.float32)
    most = float(above.max())
    return above / most if 0 < most < np.inf else np.zeros_like(above)
