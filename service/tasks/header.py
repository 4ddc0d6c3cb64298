"""What stands above the channels in every picture: the layer, facts, and the scale of colours."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from service.tasks.colors import NON_FINITE, ColorScale
from service.tasks.ink import BRIGHT, MARGIN_PX, MUTED, PAPER, font, shorten

_TITLE_PX, _TEXT_PX = 18, 13
HEADER_PX = 82
_SCALE_PX = (160, 10)
_NARROWEST_PX = 560


def put_header(
    body: Image.Image, title: str, facts: str, values: NDArray[np.float32], scale: ColorScale | None
) -> Image.Image:
    """Return the picture with the header above it and a margin all around.

    values: all that are shown, whose reach is told.
    scale: None if they have no scale in common.
    """
    header = _draw_header(max(body.width, _NARROWEST_PX), title, facts, values, scale)
    return _stack(header, body)


def _draw_header(
    width: int, title: str, facts: str, values: NDArray[np.float32], scale: ColorScale | None
) -> Image.Image:
    image = Image.new("RGB", (width, HEADER_PX), PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((0, 0), shorten(title, _TITLE_PX, width), BRIGHT, font(_TITLE_PX))
    draw.text((0, 26), shorten(facts, _TEXT_PX, width), MUTED, font(_TEXT_PX))
    finite = values[np.isfinite(values)]
    reach = f"{finite.min():.4g} to {finite.max():.4g}" if finite.size else "no finite values"
    x = _draw_scale(image, 50, scale) if scale else 0
    draw.text((x, 48), f"values {reach}", BRIGHT, font(_TEXT_PX))
    if finite.size < values.size:
        x += int(font(_TEXT_PX).getlength(f"values {reach}")) + 16
        draw.rectangle((x, 50, x + 9, 59), NON_FINITE)
        count = f"{values.size - finite.size:,} NaN or infinite"
        draw.text((x + 15, 48), count, MUTED, font(_TEXT_PX))
    return image


def _draw_scale(image: Image.Image, top: int, scale: ColorScale) -> int:
    """Draw the colours from low to high with the numbers they stand for; return where it ends."""
    draw = ImageDraw.Draw(image)
    low, high = f"{scale.low:.4g}", f"{scale.high:.4g}"
    draw.text((0, top - 2), low, MUTED, font(_TEXT_PX))
    x = int(font(_TEXT_PX).getlength(low)) + 8
    width, height = _SCALE_PX
    strip = scale.paint(np.linspace(scale.low, scale.high, width)[None].repeat(height, axis=0))
    image.paste(Image.fromarray(strip), (x, top))
    draw.text((x + width + 8, top - 2), high, MUTED, font(_TEXT_PX))
    return x + width + 8 + int(font(_TEXT_PX).getlength(high)) + 24


def _stack(header: Image.Image, body: Image.Image) -> Image.Image:
    size = (header.width + 2 * MARGIN_PX, header.height + body.height + 2 * MARGIN_PX)
    image = Image.new("RGB", size, PAPER)
    image.paste(header, (MARGIN_PX, MARGIN_PX))
    image.paste(body, (MARGIN_PX, MARGIN_PX + header.height))
    return image
