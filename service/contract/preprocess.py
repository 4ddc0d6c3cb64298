"""Decoded pictures to model input: the one implementation, for serving and for evaluation.

What follows (cast, normalise, transpose) happens inside the ONNX graph.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.contract.frame import frame_of
from service.contract.specs import ImagePreprocessing
from service.contract.view import view_of

Pixels = NDArray[np.uint8]


def preprocess_image(pixels: Pixels, spec: ImagePreprocessing) -> Pixels:
    """Return one model input (H', W', C) uint8, of `spec.input_shape`.

    pixels: (H, W, 3) uint8, upright sRGB, any H and W from 1 on.
    Resampling is Pillow's antialiased BILINEAR (a triangle filter whose support
    grows with the reduction); a picture that has the right size is not touched.

    >>> spec = ImagePreprocessing(color="gray", resize="squash", height=2, width=2,
    ...                           mean=(0.5,), std=(0.5,))
    >>> preprocess_image(np.full((8, 4, 3), 7, np.uint8), spec)[:, :, 0].tolist()
    [[7, 7], [7, 7]]
    """
    image = Image.fromarray(pixels)
    if spec.color == "gray":
        image = image.convert("L")
    crops = spec.resize == "shortest_side_center_crop"
    inner = _shortest_side_center_crop(image, spec) if crops else _whole(image, spec)
    return inner.reshape(*inner.shape[:2], spec.channels)


def enough_px(spec: ImagePreprocessing) -> int:
    """Return the side in pixels that a picture may be decoded down to.

    It leaves the resampling a reduction by two or more in any case, as Pillow's own thumbnails
    do (`reducing_gap=2.0`), so that no detail that it would show is lost before.

    >>> enough_px(ImagePreprocessing(color="gray", resize="squash", height=64, width=48,
    ...                              mean=(0.5,), std=(0.5,)))
    128
    """
    return math.ceil(2 * max(spec.width, spec.height) / spec.crop_fraction)


def _whole(image: Image.Image, spec: ImagePreprocessing) -> Pixels:
    """Resample the whole picture and lay it into the input as its frame says."""
    frame = frame_of((image.height, image.width), spec)
    height, width = frame.inner
    inner = np.asarray(_resample(image, (width, height), (0, 0, image.width, image.height)))
    if frame.inner == frame.outer:
        return inner
    below, right = frame.outer[0] - height - frame.top, frame.outer[1] - width - frame.left
    margins = ((frame.top, below), (frame.left, right), (0, 0))[: inner.ndim]
    if spec.resize == "letterbox":
        return np.pad(inner, margins, constant_values=spec.pad_value)
    return np.pad(inner, margins, mode="edge")


def _shortest_side_center_crop(image: Image.Image, spec: ImagePreprocessing) -> Pixels:
    """Resample the largest centred box of the target's shape, shrunk to crop_fraction."""
    view = view_of((image.height, image.width), spec)
    box = (view.left, view.top, view.left + view.width, view.top + view.height)
    return np.asarray(_resample(image, (spec.width, spec.height), box))


def _resample(
    image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]
) -> Image.Image:
    if image.size == size and box == (0, 0, *size):
        return image
    return image.resize(size, Image.Resampling.BILINEAR, box=box)
