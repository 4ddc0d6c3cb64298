"""Mask files to class indices; what cannot be told is an error that names the file."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.layouts import LIMITS, InvalidData
from training.data.mask_classes import CLASSES_NAME, MaskClasses

_UNKNOWN = -1
_GRAY = ("L", "P", "I", "I;16", "I;16B")


def read_mask(file: Path, classes: MaskClasses) -> NDArray[np.uint8]:
    """Return (H, W) uint8 class indices, VOID for what is to be ignored.

    file: a PNG. Where it has a palette its index is the class's id, where it is gray its value,
        and where it is RGB its colour is the class's. Black and white of one bit are the ids
        0 and 255, or 0 and 1.
    Raises: InvalidData if the file is broken, or a pixel is of no class.
    """
    values = _values(file, classes)
    if values.ndim == 3:
        return _from_colors(file, values, classes)
    return _from_ids(file, values, classes)


def _values(file: Path, classes: MaskClasses) -> NDArray[np.int64]:
    """Return (H, W) ids or (H, W, 3) colours, neither of them checked."""
    try:
        with Image.open(file, formats=("PNG",)) as image:
            if image.width * image.height > LIMITS.max_pixels:
                raise InvalidData(f"{file}: {image.width} x {image.height} pixels are too many")
            image.load()
            return _plain(file, image, classes)
    except (OSError, ValueError, SyntaxError) as error:  # whatever Pillow meets in a broken file
        raise InvalidData(f"{file}: cannot be read as a PNG: {error}") from error


def _plain(file: Path, image: Image.Image, classes: MaskClasses) -> NDArray[np.int64]:
    if image.mode == "1":
        return np.asarray(image).astype(np.int64) * (255 if 255 in classes.by_id else 1)
    if image.mode in _GRAY:
        return np.asarray(image).astype(np.int64)
    if image.mode not in ("RGB", "RGBA"):
        raise InvalidData(f"{file}: a mask is gray, RGB or has a palette, not {image.mode}")
    pixels = np.asarray(image).astype(np.int64)
    if pixels.shape[2] == 4 and (pixels[:, :, 3] < 255).any():
        raise InvalidData(f"{file}: a mask must not be transparent anywhere")
    return pixels[:, :, :3]


def _from_ids(file: Path, values: NDArray[np.int64], classes: MaskClasses) -> NDArray[np.uint8]:
    table = np.full(2**16, _UNKNOWN, np.int16)
    table[list(classes.by_id)] = list(classes.by_id.values())
    # beyond 16 bits nothing is known; the last entry stands for all of it, unless it is an id
    outside = (values < 0) | (values >= len(table))
    indices = np.where(outside, _UNKNOWN, table[values.clip(0, len(table) - 1)])
    unknown = values[indices == _UNKNOWN]
    if unknown.size:
        ids = ", ".join(map(str, sorted(classes.by_id)))
        raise InvalidData(
            f"{file}: the value {unknown[0]} ({np.count_nonzero(unknown == unknown[0])} pixels) "
            f"is the id of no class; {CLASSES_NAME} has {ids}"
        )
    return indices.astype(np.uint8)


def _from_colors(file: Path, pixels: NDArray[np.int64], classes: MaskClasses) -> NDArray[np.uint8]:
    packed = pixels @ np.array([1 << 16, 1 << 8, 1])
    codes, inverse = np.unique(packed, return_inverse=True)
    indices = []
    for code in codes.tolist():
        color = (code >> 16, code >> 8 & 255, code & 255)
        if color not in classes.by_color:
            raise InvalidData(
                f"{file}: the colour {color} ({np.count_nonzero(packed == code)} pixels) "
                f"is that of no class in {CLASSES_NAME}"
            )
        indices.append(classes.by_color[color])
    return np.array(indices, np.uint8)[inverse].reshape(packed.shape)
