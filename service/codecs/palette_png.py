"""Masks as PNG files that look coloured and still hold the class indices."""

import io
import zlib
from collections.abc import Sequence

from PIL import Image

from service.contract.manifest import Color
from service.contract.masks import Mask


def encode_palette_png(mask: Mask, colors: Sequence[Color]) -> bytes:
    """Return a PNG whose pixels are class indices and whose palette holds the classes' colours.

    mask: (H, W) class indices.
    colors: by class index, at most 256. Up to 16 of them take half a byte a pixel or less.
    Raises: ValueError if a class has no colour; its pixels would come out as another class.
    """
    if mask.max() >= len(colors):
        raise ValueError(f"class {mask.max()} has no colour: there are {len(colors)}")
    image = Image.fromarray(mask)
    image.putpalette([value for color in colors for value in color])
    buffer = io.BytesIO()
    # Run lengths are all that there is to a mask: smaller and faster than what zlib does by itself.
    image.save(buffer, format="PNG", compress_type=zlib.Z_RLE)
    return buffer.getvalue()
