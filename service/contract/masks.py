"""The way back: what a segmenter said of its input, at every pixel of the picture."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.contract.frame import Frame

Mask = NDArray[np.uint8]  # (H, W) class indices
Probability = NDArray[np.float32]  # (H, W) in 0..1, of one class
Value = TypeVar("Value", bound=np.generic)
_BAND_PX = 2**21  # so many pixels of the picture are worked on at once


def restore_mask(mask: Mask, probabilities: Sequence[Probability], frame: Frame) -> Mask:
    """Return the class index at every pixel of the picture, (H, W) of `frame.picture`.

    mask: of the input. Where the picture was not resampled, its part of it is the answer.
    probabilities: of the input, one for each class. Where it was, they are resampled to the
        picture, one after the other, and the likeliest taken: borders come out smooth that way.
        Ties go to the lower index.
    """
    if frame.inner == frame.picture:
        return np.ascontiguousarray(_inner(mask, frame))
    restored = np.empty(frame.picture, np.uint8)
    for rows, likeliest, _ in likeliest_bands(mask, probabilities, frame):
        restored[rows] = likeliest
    return restored


def likeliest_bands(
    mask: Mask, probabilities: Sequence[Probability], frame: Frame
) -> Iterator[tuple[slice, Mask, Probability]]:
    """Yield rows of the picture, and of their pixels the class and its probability.

    mask, probabilities: as for `restore_mask`, whose answer the classes are.
    """
    inner = [_inner(probability, frame) for probability in probabilities]
    if frame.inner == frame.picture:
        for rows in _bands(frame):
            classes = _inner(mask, frame)[rows]
            chosen = np.empty(classes.shape, np.float32)
            for class_index, probability in enumerate(inner):
                np.copyto(chosen, probability[rows], where=classes == class_index)
            yield rows, classes, chosen
        return
    for rows in _bands(frame):
        band = _resampled(inner[0], frame, rows)
        likeliest = np.zeros(band.shape, np.uint8)
        for class_index in range(1, len(inner)):
            other = _resampled(inner[class_index], frame, rows)
            better = other > band
            np.copyto(band, other, where=better)
            likeliest[better] = class_index
        yield rows, likeliest, band


def restore_probability(probability: Probability, frame: Frame) -> Probability:
    """Return a class's probability at every pixel of the picture, (H, W) of `frame.picture`."""
    inner = _inner(probability, frame)
    if frame.inner == frame.picture:
        return np.ascontiguousarray(inner)
    restored = np.empty(frame.picture, np.float32)
    for rows in _bands(frame):
        restored[rows] = _resampled(inner, frame, rows)
    return restored


def _inner(values: NDArray[Value], frame: Frame) -> NDArray[Value]:
    """Return the picture's own part of what was made of the input, (..., H, W)."""
    height, width = frame.inner
    rows = slice(frame.top, frame.top + height)
    return values[..., rows, frame.left : frame.left + width]


def _bands(frame: Frame) -> Iterator[slice]:
    """Yield the picture's rows in parts, so that memory does not grow with the picture."""
    height, width = frame.picture
    step = max(1, _BAND_PX // width)
    for first in range(0, height, step):
        yield slice(first, min(height, first + step))


def _resampled(inner: Probability, frame: Frame, rows: slice) -> Probability:
    """Return rows of the picture, by the same filter that made the input from it."""
    scale = frame.inner[0] / frame.picture[0]
    box = (0, rows.start * scale, frame.inner[1], min(frame.inner[0], rows.stop * scale))
    size = (frame.picture[1], rows.stop - rows.start)
    image = Image.fromarray(np.ascontiguousarray(inner))
    return np.array(image.resize(size, Image.Resampling.BILINEAR, box=box))
