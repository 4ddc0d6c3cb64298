"""Masks as pictures for people."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.contract.manifest import Color
from service.contract.masks import Mask, Probability
from service.contract.preprocess import Pixels

# Of 256: how much of its class's colour a pixel takes.
_OPACITY = 128
_BAND_ROWS = 256  # worked on at once, so that memory does not grow with the picture


def render_overlay(picture: Pixels, mask: Mask, colors: Sequence[Color]) -> Pixels:
    """Return the picture (H, W, 3) uint8 under the colours of its mask (H, W).

    Where one class borders on another the colour is full, so that thin things can be made out.
    """
    painted = np.empty_like(picture)
    palette = np.array(colors, np.uint16)
    for first in range(0, len(mask), _BAND_ROWS):
        rows = slice(first, first + _BAND_ROWS)
        color = palette[mask[rows]]
        mixed = (picture[rows] * np.uint16(256 - _OPACITY) + color * np.uint16(_OPACITY)) >> 8
        border = _borders(mask[first : first + _BAND_ROWS + 1])[: len(color)]
        painted[rows] = np.where(border[..., None], color, mixed)
    return painted


def render_probability(probability: Probability) -> NDArray[np.uint8]:
    """Return gray (H, W) uint8: a pixel divided by 255 is the probability."""
    gray: NDArray[np.uint8] = np.rint(probability.clip(0, 1) * 255).astype(np.uint8)
    return gray


def _borders(mask: Mask) -> NDArray[np.bool_]:
    """Return where the pixel on the right or below is of another class, (H, W)."""
    border = np.zeros(mask.shape, np.bool_)
    border[:, :-1] = mask[:, :-1] != mask[:, 1:]
    border[:-1] |= mask[:-1] != mask[1:]
    return border
