"""Values along the time as filled curves, and the waveform of a sound."""

import numpy as np
from numpy.typing import NDArray

from service.contract.windows import Waveform
from service.tasks.colors import NON_FINITE, ColorScale
from service.tasks.ink import FAINT, MUTED, PAPER

_GROUND = (28, 31, 37)


def draw_curve(
    reach: NDArray[np.float32],
    places: NDArray[np.intp],
    limits: tuple[float, float],
    scale: ColorScale,
    height: int,
) -> NDArray[np.uint8]:
    """Return the values as columns that grow from zero, (height, width, 3).

    reach: (2, blocks), the lowest and the highest value in each.
    places: (width,), the block that each pixel shows; -1 for none.
    limits: what the lower and the upper edge stand for; zero lies between them.
    """
    lows, highs = (np.where(places < 0, 0, part[places]) for part in reach)
    finite = np.isfinite(lows) & np.isfinite(highs)
    colors = scale.paint(np.where(highs > -lows, highs, lows))
    colors[~finite] = NON_FINITE
    lows, highs = np.where(finite, lows, limits[0]), np.where(finite, highs, limits[1])
    return _filled(lows, highs, colors, limits, height, np.where(places < 0, -1, 0))


def draw_waveform(waveform: Waveform, heard: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the waveform over its own peak, (height, width, 3).

    heard: so many samples are the sound's own; what fills the rest is paler.
    """
    width, height = size
    edges = np.linspace(0, len(waveform), width + 1).astype(np.intp)[:-1]
    lows, highs = (extreme.reduceat(waveform, edges) for extreme in (np.minimum, np.maximum))
    peak = max(float(np.abs(waveform).max()), 1e-9)
    colors = np.where((edges < heard)[:, None], MUTED, FAINT).astype(np.uint8)
    return _filled(lows, highs, colors, (-peak, peak), height, np.zeros(width))


def _filled(
    lows: NDArray[np.floating],
    highs: NDArray[np.floating],
    colors: NDArray[np.uint8],
    limits: tuple[float, float],
    height: int,
    shown: NDArray[np.floating],
) -> NDArray[np.uint8]:
    """Return columns from the lower to the higher end, both of which reach zero at least."""
    low, high = limits
    per_unit = (height - 1) / ((high - low) or 1.0)
    tops = np.rint((high - np.maximum(highs, 0)) * per_unit)
    bottoms = np.rint((high - np.minimum(lows, 0)) * per_unit)
    y = np.arange(height)[:, None]
    panel = np.full((height, len(colors), 3), _GROUND, np.uint8)
    panel[round(high * per_unit)] = FAINT
    inside = (y >= tops) & (y <= bottoms) & (shown >= 0)
    panel[inside] = np.broadcast_to(colors, panel.shape)[inside]
    panel[:, shown < 0] = PAPER
    return panel
