"""Occlusion: how much the probability falls when a patch is hidden."""

from math import ceil, sqrt

import numpy as np

from service.tasks.reasons.grid import Grid
from service.tasks.reasons.portions import Portions
from service.tasks.reasons.weighing import ROUNDING, Steps, Weighed
from service.tasks.reasons.whole import Hiding

# Places along the longer side of a picture, and along a sound.
_ALONG_PICTURE, _ALONG_SOUND = 14, 64


def patch_grid(size: tuple[int, int], most: int) -> tuple[Grid, tuple[int, int]]:
    """Return where patches are laid, and how many: rows and columns, `most` at most.

    size: of the input; a sound is one row.

    >>> patch_grid((28, 28), most=200)
    (Grid(start=(1.0, 1.0), jump=(2, 2)), (14, 14))
    """
    height, width = size
    along = min(_ALONG_PICTURE, int(sqrt(most))) if height > 1 else min(_ALONG_SOUND, most)
    jump = ceil(max(size) / along)
    down = min(jump, height)
    return Grid((down / 2, jump / 2), (down, jump)), (ceil(height / down), ceil(width / jump))


def occlusion(hiding: Hiding, portions: Portions) -> Steps[tuple[Weighed, Grid]]:
    """Return by how much the probability of the class falls at each place of a patch.

    Patches are laid side by side; each reaches half its step, but one pixel at least, beyond its
    own place to all sides, so that neighbours overlap.
    Source: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014.
    """
    grid, (rows, columns) = patch_grid(hiding.size, portions.most)
    whole = np.ones((1, *hiding.size), np.float32)
    unhidden = hiding.probabilities(whole)[0]
    falls = np.zeros(rows * columns)
    for portion in portions.of(np.arange(rows * columns)):
        shown = np.repeat(whole, len(portion), axis=0)
        for mask, place in zip(shown, portion.tolist(), strict=True):
            row, column = divmod(place, columns)
            mask[_stretch(row, grid.jump[0]), _stretch(column, grid.jump[1])] = 0
        falls[portion] = unhidden - hiding.probabilities(shown)
        yield
    falls[np.abs(falls) < ROUNDING] = 0
    return Weighed(falls.reshape(rows, columns).astype(np.float32)), grid


def _stretch(place: int, jump: float) -> slice:
    """Return what the patch at that place hides along an axis."""
    step = int(jump)
    beyond = max(1, step // 2)
    return slice(max(0, place * step - beyond), (place + 1) * step + beyond)
