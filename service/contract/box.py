"""Boxes in a picture, and the way back to it from the model's input."""

from typing import NamedTuple

from service.contract.frame import Size, frame_of
from service.contract.specs import ImagePreprocessing


class Box(NamedTuple):
    """A box in pixels, the edge of the first one at 0: x to the right, y down."""

    left: float
    top: float
    right: float
    bottom: float

    def within(self, other: "Box") -> "Box | None":
        """Return the part of the box that lies in the other one, or None if nothing does."""
        part = Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )
        return part if part.left < part.right and part.top < part.bottom else None


def center_crop(picture: Size, spec: ImagePreprocessing) -> Box:
    """Return the part of a picture that becomes the input of `shortest_side_center_crop`.

    It is the largest centred box of the input's shape, shrunk to `crop_fraction`.
    """
    height, width = picture
    scale = min(width / spec.width, height / spec.height) * spec.crop_fraction
    # rounding may make the box wider than the picture by the last bit
    inner_width, inner_height = min(width, spec.width * scale), min(height, spec.height * scale)
    left, top = (width - inner_width) / 2, (height - inner_height) / 2
    return Box(left, top, left + inner_width, top + inner_height)


def input_size(picture: Size, spec: ImagePreprocessing) -> Size:
    """Return the height and width of the model's input for a picture of that size."""
    if spec.resize == "shortest_side_center_crop":
        return spec.height, spec.width
    return frame_of(picture, spec).outer


def shown_part(picture: Size, spec: ImagePreprocessing) -> tuple[Box, Box]:
    """Return which part of the model's input shows which part of a picture of that size.

    The rest of the input is padding, the rest of the picture was cropped.
    """
    if spec.resize == "shortest_side_center_crop":
        return Box(0, 0, spec.width, spec.height), center_crop(picture, spec)
    frame = frame_of(picture, spec)
    (height, width), top, left = frame.inner, frame.top, frame.left
    return Box(left, top, left + width, top + height), Box(0, 0, picture[1], picture[0])


def box_in_picture(box: Box, picture: Size, spec: ImagePreprocessing) -> Box | None:
    """Return what part of the picture a box of the model's input shows; None if it is all padding.

    box: in pixels of the input, beyond whose edges there is nothing to be seen.
    picture: its size in pixels, upright.

    >>> spec = ImagePreprocessing(color="rgb", resize="letterbox", height=100, width=100,
    ...                           mean=(0.5,) * 3, std=(0.5,) * 3)
    >>> box_in_picture(Box(10, 0, 20, 30), (100, 200), spec)  # which begins in row 25
    Box(left=20.0, top=0.0, right=40.0, bottom=10.0)
    """
    inner, shown = shown_part(picture, spec)
    part = box.within(inner)
    if part is None:
        return None
    across = (shown.right - shown.left) / (inner.right - inner.left)
    down = (shown.bottom - shown.top) / (inner.bottom - inner.top)
    return Box(
        shown.left + (part.left - inner.left) * across,
        shown.top + (part.top - inner.top) * down,
        shown.left + (part.right - inner.left) * across,
        shown.top + (part.bottom - inner.top) * down,
    )
