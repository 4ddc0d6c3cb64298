"""Where a picture lies in the model's input: what is needed for the way there and back."""

import math
from dataclasses import dataclass

from service.contract.specs import ImagePreprocessing

Size = tuple[int, int]  # height, width in pixels


@dataclass(frozen=True)
class Frame:
    """A picture that was resampled whole and laid into the model's input.

    picture: size of the picture as it was decoded.
    inner: size that it was resampled to; equal to `picture` if it was not touched.
    top, left: where it begins in the input; what lies around it is padding.
    outer: size of the model's input.
    """

    picture: Size
    inner: Size
    top: int
    left: int
    outer: Size


def frame_of(picture: Size, spec: ImagePreprocessing) -> Frame:
    """Return where a picture of that size lies in the input; `spec` must not crop.

    >>> spec = ImagePreprocessing(color="rgb", resize="same_area", height=180, width=240,
    ...                           multiple=16, mean=(0.5,) * 3, std=(0.5,) * 3)
    >>> frame_of((720, 960), spec)
    Frame(picture=(720, 960), inner=(180, 240), top=0, left=0, outer=(192, 240))
    """
    if spec.resize == "squash":
        return Frame(picture, (spec.height, spec.width), 0, 0, (spec.height, spec.width))
    if spec.resize == "letterbox":
        inner = _fit(picture, spec)
        top, left = (spec.height - inner[0]) // 2, (spec.width - inner[1]) // 2
        return Frame(picture, inner, top, left, (spec.height, spec.width))
    inner = picture if spec.resize == "none" else _same_area(picture, spec)
    outer = (_round_up(inner[0], spec.multiple), _round_up(inner[1], spec.multiple))
    return Frame(picture, inner, 0, 0, outer)


def _fit(picture: Size, spec: ImagePreprocessing) -> Size:
    """Return the largest size of the picture's shape that the input has room for."""
    scale = min(spec.height / picture[0], spec.width / picture[1])
    return (
        min(spec.height, max(1, round(picture[0] * scale))),
        min(spec.width, max(1, round(picture[1] * scale))),
    )


def _same_area(picture: Size, spec: ImagePreprocessing) -> Size:
    """Return the size of the picture's shape that has as many pixels as the reference.

    Of a strip, one side would round to nothing: it has one row, and no more pixels than others.
    """
    area = spec.height * spec.width
    scale = math.sqrt(area / (picture[0] * picture[1]))
    height, width = (min(area, max(1, round(side * scale))) for side in picture)
    return height, width


def _round_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
