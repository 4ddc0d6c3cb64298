"""Which part of a picture a model's input shows, for places on the way there and back."""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.contract.box import input_size, shown_part
from service.contract.frame import Size
from service.contract.specs import ImagePreprocessing

# A place along an axis, or many.
Place = TypeVar("Place", float, NDArray[np.floating[Any]])


@dataclass(frozen=True)
class View:
    """The part of a picture that the whole input shows; all but `input` in the picture's pixels.

    picture: size of the picture.
    input: size of the model's input, padding included.
    top, left, height, width: of the part. It lies within the picture where that was cropped, and
        reaches beyond it where it was padded.
    """

    picture: Size
    input: Size
    top: float
    left: float
    height: float
    width: float

    def to_picture(self, y: Place, x: Place) -> tuple[Place, Place]:
        """Return where in the picture places of the input lie; (0, 0) is a corner, no centre."""
        scale_y, scale_x = self.height / self.input[0], self.width / self.input[1]
        return self.top + y * scale_y, self.left + x * scale_x

    def to_input(self, y: Place, x: Place) -> tuple[Place, Place]:
        """Return where in the input places of the picture lie."""
        scale_y, scale_x = self.input[0] / self.height, self.input[1] / self.width
        return (y - self.top) * scale_y, (x - self.left) * scale_x


def view_of(picture: Size, spec: ImagePreprocessing) -> View:
    """Return what of a picture of that size the model's input shows.

    >>> spec = ImagePreprocessing(color="gray", resize="shortest_side_center_crop", height=10,
    ...                           width=10, mean=(0.5,), std=(0.5,))
    >>> view_of((20, 40), spec)
    View(picture=(20, 40), input=(10, 10), top=0.0, left=10.0, height=20.0, width=20.0)
    """
    inner, shown = shown_part(picture, spec)
    scale_y = (shown.bottom - shown.top) / (inner.bottom - inner.top)
    scale_x = (shown.right - shown.left) / (inner.right - inner.left)
    height, width = input_size(picture, spec)
    return View(
        picture=picture,
        input=(height, width),
        top=shown.top - inner.top * scale_y,
        left=shown.left - inner.left * scale_x,
        height=height * scale_y,
        width=width * scale_x,
    )
