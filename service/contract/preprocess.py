"""Decoded pictures to model input: the one implementation, for serving and for evaluation.

What follows (cast, normalise, transpose) happens inside the ONNX graph.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.contract.manifest import ImagePreprocessing

Pixels = NDArray[np.uint8]


def preprocess_image(pixels: Pixels, spec: ImagePreprocessing) -> Pixels:
    """Return one model input of shape (spec.height, spec.width, C), uint8.

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
    resized = _RESIZE[spec.resize](image, spec)
    return np.asarray(resized).reshape(spec.height, spec.width, spec.channels)


def enough_px(spec: ImagePreprocessing) -> int:
    """Return the side in pixels that a picture may be decoded down to.

    It leaves the resampling a reduction by two or more in any case, as Pillow's own thumbnails
    do (`reducing_gap=2.0`), so that no detail that it would show is lost before.

    >>> enough_px(ImagePreprocessing(color="gray", resize="squash", height=64, width=48,
    ...                              mean=(0.5,), std=(0.5,)))
    128
    """
    return math.ceil(2 * max(spec.width, spec.height) / spec.crop_fraction)


def _squash(image: Image.Image, spec: ImagePreprocessing) -> Image.Image:
    return _resample(image, (spec.width, spec.height), (0, 0, image.width, image.height))


def _shortest_side_center_crop(image: Image.Image, spec: ImagePreprocessing) -> Image.Image:
    """Resample the largest centred box of the target's shape, shrunk to crop_fraction."""
    scale = min(image.width / spec.width, image.height / spec.height) * spec.crop_fraction
    # rounding may make the box wider than the picture by the last bit
    width, height = min(image.width, spec.width * scale), min(image.height, spec.height * scale)
    left, top = (image.width - width) / 2, (image.height - height) / 2
    box = (left, top, left + width, top + height)
    return _resample(image, (spec.width, spec.height), box)


def _letterbox(image: Image.Image, spec: ImagePreprocessing) -> Image.Image:
    scale = min(spec.width / image.width, spec.height / image.height)
    width = min(spec.width, max(1, round(image.width * scale)))
    height = min(spec.height, max(1, round(image.height * scale)))
    inner = _resample(image, (width, height), (0, 0, image.width, image.height))
    background = (spec.pad_value,) * spec.channels if spec.channels > 1 else spec.pad_value
    canvas = Image.new(image.mode, (spec.width, spec.height), background)
    canvas.paste(inner, ((spec.width - width) // 2, (spec.height - height) // 2))
    return canvas


def _resample(
    image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]
) -> Image.Image:
    if image.size == size and box == (0, 0, *size):
        return image
    return image.resize(size, Image.Resampling.BILINEAR, box=box)


_RESIZE = {
    "squash": _squash,
    "shortest_side_center_crop": _shortest_side_center_crop,
    "letterbox": _letterbox,
}
