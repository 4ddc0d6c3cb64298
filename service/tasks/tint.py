"""Strength as a glow over something else, which turns gray: all colour is the glow's."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.tasks.colors import ColorScale

# Inferno without its ends, which are black and nearly white (S. van der Walt, N. Smith, CC0).
_ANCHORS = np.array(
    [[87, 16, 110], [159, 42, 99], [212, 72, 66], [245, 125, 21], [250, 193, 39]], np.float32
)
_STEPS = 256
_PLACES = np.linspace(0, len(_ANCHORS) - 1, _STEPS)
_GLOW = np.stack(
    [np.interp(_PLACES, np.arange(len(_ANCHORS)), ends) for ends in _ANCHORS.T], axis=-1
).astype(np.float32)
_MOST_OPAQUE = 0.75
# The share of each colour in what the eye takes for brightness (the luma of ITU-R BT.601).
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Glow(ColorScale):
    """The colours of a glow, for values from `low`, where there is none, to `high`."""

    def paint(self, values: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
        """Return the values' colours on black, uint8 with a last axis of three."""
        share = np.clip((values - self.low) / ((self.high - self.low) or 1.0), 0, 1)
        return tint(np.zeros((*values.shape, 3), np.uint8), share)


def tint(colors: NDArray[np.uint8], strength: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Return the colours (..., 3) in gray, with a glow as strong as told, (...) in 0..1."""
    share = strength.astype(np.float32)
    glow = _GLOW[np.rint(share * (_STEPS - 1)).astype(np.uint8)]
    gray = (colors @ _LUMA)[..., None]
    opacity = _MOST_OPAQUE * share[..., None]
    tinted: NDArray[np.uint8] = np.rint(gray + (glow - gray) * opacity).astype(np.uint8)
    return tinted


def glow_of(values: NDArray[np.floating[Any]]) -> Glow:
    """Return the scale from the lowest value above zero, or zero, to the highest.

    What is below zero does not glow, and of the rest the weakest hardly does.
    """
    above = np.maximum(np.where(np.isfinite(values), values, 0), 0)
    return Glow(float(above.min()), float(above.max()), signed=False)


def strength_of(values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return how strongly the values glow, in 0..1; zeros if none is above zero."""
    glow = glow_of(values)
    share = (values - glow.low) / ((glow.high - glow.low) or 1.0)
    strength: NDArray[np.float32] = np.clip(share, 0, 1).astype(np.float32)
    return strength
