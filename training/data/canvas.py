"""Scenes of any size to arrays of one size, which is what a training needs."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.contract.frame import Frame, Size, frame_of
from service.contract.preprocess import preprocess_image
from service.contract.specs import ImagePreprocessing
from training.data.layouts import InvalidData
from training.data.warp import VOID

Pixels = NDArray[np.uint8]


def to_canvas(pixels: Pixels, mask: Pixels, spec: ImagePreprocessing) -> tuple[Pixels, Pixels]:
    """Return the picture (H, W, C) and its mask (H, W), both uint8, of `spec.reference_size`.

    pixels: (h, w, 3); mask: (h, w) class indices. The picture is resampled as it is served, the
    mask by nearest neighbour; what the picture does not cover is VOID in the mask.
    A picture of the recipe's shape comes out exactly as it is served. One of another shape,
    which would be served at a size of its own, is shrunk until it fits for `same_area`.
    Raises: InvalidData for `none` if the picture does not fit.
    """
    frame = _frame((mask.shape[0], mask.shape[1]), spec)
    height, width = frame.inner
    inner = {"resize": "squash", "height": height, "width": width, "multiple": 1}
    small = preprocess_image(pixels, spec.model_copy(update=inner))
    nearest = Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST)
    below, right = frame.outer[0] - height - frame.top, frame.outer[1] - width - frame.left
    margins = ((frame.top, below), (frame.left, right))
    fill = {"constant_values": spec.pad_value} if spec.resize == "letterbox" else {"mode": "edge"}
    canvas = np.pad(small, (*margins, (0, 0)), **fill)
    return canvas, np.pad(np.asarray(nearest), margins, constant_values=VOID)


def _frame(picture: Size, spec: ImagePreprocessing) -> Frame:
    """Return where the picture lies on the canvas: where it is served, if there is room."""
    canvas = spec.reference_size
    served = frame_of(picture, spec)
    if served.outer == canvas:
        return served
    if spec.resize == "same_area":
        scale = min(spec.height / picture[0], spec.width / picture[1])
        height, width = (max(1, round(side * scale)) for side in picture)
        return Frame(picture, (height, width), 0, 0, canvas)
    if picture[0] > canvas[0] or picture[1] > canvas[1]:
        raise InvalidData(
            f"the picture has {picture[1]}x{picture[0]} pixels, which do not fit the recipe's "
            f"{spec.width}x{spec.height}, and `none` makes nothing smaller"
        )
    return Frame(picture, picture, 0, 0, canvas)
