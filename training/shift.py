"""Whether a segmenter says the same of a pixel when the picture lies elsewhere."""

from collections.abc import Iterator

import numpy as np
from pydantic import BaseModel

from service.contract.preprocess import preprocess_image
from service.contract.specs import FREE_SIZE
from training.data.scenes import Scenes
from training.segmented import Pixels, ServedSegmenter

LARGEST_SHIFT_PX = 31  # as coarse as any map of our nets is: larger shifts repeat smaller ones
MARGIN_PX = 16  # so near the window's border, what a convolution sees beyond it counts most


class ShiftConsistency(BaseModel):
    """Shares of pixels that keep their class, in 0..1, by shift in pixels from 0 on."""

    images: int
    horizontal: list[float]
    vertical: list[float]

    @property
    def mean(self) -> float:
        """The mean over all shifts in both directions but the one by nothing."""
        return float(np.mean(self.horizontal[1:] + self.vertical[1:]))

    @property
    def lowest(self) -> float:
        """The share at the worst shift."""
        return min(self.horizontal + self.vertical)

    def sentence(self) -> str:
        """Return what was measured and found."""
        return (
            f"Shift consistency: {self.mean:.2%} of the pixels keep their class when the picture "
            f"is moved by 1 to {len(self.horizontal) - 1} pixels (at the worst shift "
            f"{self.lowest:.2%}; {self.images} pictures, {MARGIN_PX} pixels from the border on)."
        )


def shift_consistency(served: ServedSegmenter, scenes: Scenes) -> ShiftConsistency | None:
    """Measure the model on windows of the pictures, moved by 0 to 31 pixels along either axis.

    A picture is resampled as it is served, without padding. Of two windows of one size, both
    full of real pixels, the common part is compared that is 16 pixels from either's border.
    Pictures too small for that are left out; None if all are, or if the model takes one size
    only. Nothing is random.
    """
    if served.spec.resize not in FREE_SIZE:
        return None
    spec = served.spec.model_copy(update={"multiple": 1})
    curves = [
        [_curve(served, inner, axis) for axis in (1, 0)]
        for inner in (preprocess_image(scenes.read(i), spec) for i in range(len(scenes)))
        if min(_window(inner, served.spec.multiple)) > LARGEST_SHIFT_PX + 2 * MARGIN_PX
    ]
    if not curves:
        return None
    horizontal, vertical = np.mean(curves, axis=0)
    return ShiftConsistency(
        images=len(curves), horizontal=horizontal.tolist(), vertical=vertical.tolist()
    )


def _window(inner: Pixels, multiple: int) -> tuple[int, int]:
    """Return height and width of the largest window that can be moved so far."""
    height, width = ((side - LARGEST_SHIFT_PX) // multiple * multiple for side in inner.shape[:2])
    return height, width


def _curve(served: ServedSegmenter, inner: Pixels, axis: int) -> list[float]:
    """Return the share of agreeing pixels by shift along the axis."""
    height, width = _window(inner, served.spec.multiple)
    masks: Iterator[Pixels] = (
        served.mask_of_input(np.take(inner, range(shift, inner.shape[axis]), axis)[:height, :width])
        for shift in range(LARGEST_SHIFT_PX + 1)
    )
    at_rest, margin = next(masks), MARGIN_PX
    shares = [1.0]
    for shift, moved in enumerate(masks, start=1):
        length = at_rest.shape[axis] - shift
        one = np.take(at_rest, range(shift + margin, shift + length - margin), axis)
        other = np.take(moved, range(margin, length - margin), axis)
        across = (slice(margin, -margin),) if axis else (slice(None), slice(margin, -margin))
        shares.append(float(np.mean(one[across] == other[across])))
    return shares
