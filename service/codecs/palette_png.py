"""Masks as PNGs with a palette: pixels are class indices, and viewers show the classes' colours."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Rgb = tuple[int, int, int]


def encode_palette_png(mask: NDArray[np.uint8], colors: Sequence[Rgb]) -> bytes:
    """Return the PNG of a mask (H, W) of class indices below the number of colors."""
    image = Image.fromarray(mask, mode="L")
    image.putpalette([value for color in colors for value in color])
    buffer = io.BytesIO()
    # few levels: large areas of one value are small in any case
    image.save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()
