"""Numbers as colours: one map for amounts, one for what lies on either side of zero."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Rgb = tuple[int, int, int]

# An even number of steps, so that zero lies exactly on the middle colour.
_STEPS = 256

# Not in either map, so that NaN and infinities cannot be taken for values.
NON_FINITE: Rgb = (255, 0, 200)

# `auto` takes viridis, or blue-red where there are negative values.
Colormap = Literal["auto", "viridis", "magma", "gray", "blue-red"]

# Every 16th colour of viridis and magma (S. van der Walt, N. Smith, CC0), dark for little.
_AMOUNT = """
    440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c
    1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725
"""
_MAGMA = """
    000004 0b0924 20114b 3b0f70 57157e 721f81 8c2981 a8327d c43c75
    de4968 f1605d fa7f5e fe9f6d febf84 fddea0 fcfdbf
"""
_GRAY = "000000 ffffff"
# ColorBrewer RdBu reversed (C. Brewer, Apache 2.0): blue below zero, red above.
# Its darkest colours are left out: on dark paper the largest values would fade away.
_SIGNED = """
    2166ac 4393c3 92c5de d1e5f0 f7f7f7 fddbc7 f4a582 d6604d b2182b
"""


@dataclass(frozen=True)
class ColorScale:
    """Which values the two ends of a colour map stand for.

    signed: blue to red with white at zero, for maps that have negative values.
    colormap: another map than the one that `signed` means.
    """

    low: float
    high: float
    signed: bool
    colormap: Colormap = "auto"

    def paint(self, values: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
        """Return the values' colours, uint8 with a last axis of three."""
        finite = np.isfinite(values)
        span = self.high - self.low
        amount = (np.where(finite, values, self.low).astype(np.float64) - self.low) / (span or 1.0)
        places = np.rint(np.clip(amount, 0, 1) * _STEPS).astype(np.intp)
        table = _TABLES["blue-red" if self.signed else "viridis"]
        colors: NDArray[np.uint8] = _TABLES.get(self.colormap, table)[places]
        colors[~finite] = NON_FINITE
        return colors


def fit_scale(values: NDArray[np.floating[Any]]) -> ColorScale:
    """Return the scale that spans the finite values, with zero in the middle if some are negative.

    >>> fit_scale(np.array([-1.0, 3.0]))
    ColorScale(low=-3.0, high=3.0, signed=True, colormap='auto')
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return ColorScale(0.0, 0.0, signed=False)
    low, high = float(finite.min()), float(finite.max())
    if low >= 0:
        return ColorScale(low, high, signed=False)
    end = max(-low, high)
    return ColorScale(-end, end, signed=True)


def fit_range(values: NDArray[np.floating[Any]]) -> ColorScale:
    """Return the scale from the lowest to the highest finite value, wherever zero lies.

    >>> fit_range(np.array([-9.0, -1.0]))
    ColorScale(low=-9.0, high=-1.0, signed=False, colormap='auto')
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return fit_scale(values)
    return ColorScale(float(finite.min()), float(finite.max()), signed=False)


def fit_colormap(values: NDArray[np.floating[Any]], colormap: Colormap) -> ColorScale:
    """Return the scale of the values in that colour map; blue-red has zero in the middle.

    >>> fit_colormap(np.array([1.0, 3.0]), "blue-red")
    ColorScale(low=-3.0, high=3.0, signed=True, colormap='blue-red')
    """
    if colormap == "auto":
        return fit_scale(values)
    scale = fit_range(values)
    if colormap == "blue-red":
        end = max(abs(scale.low), abs(scale.high))
        return ColorScale(-end, end, signed=True, colormap=colormap)
    return ColorScale(scale.low, scale.high, signed=False, colormap=colormap)


def _table(anchors: str) -> NDArray[np.uint8]:
    colors = np.array([list(bytes.fromhex(color)) for color in anchors.split()])
    places = np.linspace(0, _STEPS, len(colors))
    channels = [np.interp(np.arange(_STEPS + 1), places, colors[:, i]) for i in range(3)]
    table: NDArray[np.uint8] = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
    return table


_TABLES = {
    "viridis": _table(_AMOUNT),
    "magma": _table(_MAGMA),
    "gray": _table(_GRAY),
    "blue-red": _table(_SIGNED),
}
