"""Pictures of what a segmenter said: masks in colour, over the photograph, and probabilities."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.codecs.image import Pixels
from service.contract.manifest import Color
from service.contract.masks import Mask, Probability

# Lines are one pixel wide for so many that the picture is: they must still be seen when a large
# picture is shown on a screen, and must leave room in a small one.
_SIDE_PX_PER_LINE_PX = 600
# Colours below this brightness (the luma of ITU-R BT.601) get lighter lines, the rest darker ones.
_DARK_LUMA = 110
_CONTRAST = 0.6  # how far lines go towards white or black


def render_mask(mask: Mask, colors: Sequence[Color]) -> Pixels:
    """Return every pixel of the mask (H, W) in its class's colour, (H, W, 3) uint8.

    Raises: IndexError if a class has no colour.
    """
    return np.array(colors, np.uint8).take(mask, axis=0)


def render_overlay(
    picture: Pixels, mask: Mask, colors: Sequence[Color], opacity: float = 0.5
) -> Pixels:
    """Return the picture tinted with its classes' colours, with lines where classes meet.

    picture: (H, W, 3) uint8; it is left as it is. mask: (H, W).
    opacity: of the colours, from 0, the picture alone, to 1, the mask alone; lines are opaque.
    Raises: IndexError if a class has no colour.
    """
    import cv2  # here, because it takes 0.1 s that the start of a server need not wait for

    overlay = render_mask(mask, colors)
    cv2.addWeighted(picture, 1 - opacity, overlay, opacity, 0, dst=overlay)
    borders = _find_borders(mask)
    overlay[borders] = _line_colors(colors).take(mask[borders], axis=0)
    return overlay


def render_probability(probability: Probability) -> Pixels:
    """Return gray pixels, (H, W) uint8, of 255 times the probability: black is 0, white is 1.

    probability: (H, W) float32 in 0..1.
    """
    import cv2

    return np.asarray(cv2.convertScaleAbs(probability, alpha=255), np.uint8)


def _find_borders(mask: Mask) -> NDArray[np.bool_]:
    """Return which pixels have another class close by, (H, W)."""
    import cv2

    line_px = max(1, round(max(mask.shape) / _SIDE_PX_PER_LINE_PX))
    window = np.ones((line_px + 1, line_px + 1), np.uint8)
    return cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, window) > 0


def _line_colors(colors: Sequence[Color]) -> Pixels:
    """Return colours of lines that stand out from the classes' own, (C, 3) uint8."""
    own = np.array(colors, np.float32)
    dark = own @ np.array([0.299, 0.587, 0.114], np.float32) < _DARK_LUMA
    end = np.where(dark[:, None], 255, 0)
    return np.rint(own + (end - own) * _CONTRAST).astype(np.uint8)
