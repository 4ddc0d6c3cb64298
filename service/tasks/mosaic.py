"""A feature map as one PNG: what it is, the scale of its colours, and its channels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from service.codecs.image import encode_png
from service.contract.errors import InvalidParameter
from service.tasks.bars import draw_bars
from service.tasks.colors import NON_FINITE, ColorScale, fit_scale
from service.tasks.ink import BRIGHT, MARGIN_PX, MUTED, PAPER, font, shorten
from service.tasks.tiles import Grid, draw_tiles

_TITLE_PX, _TEXT_PX = 18, 13
_HEADER_PX = 82
_SCALE_PX = (160, 10)
_NARROWEST_PX = 560


def render_mosaic(values: NDArray[np.float32], channels: Sequence[int], title: str) -> bytes:
    """Return a PNG of the channels, all in the same colour scale, at most 2048 pixels a side.

    values: (C, H, W), drawn as a tile a channel, or (C,) and (C, 1, 1), drawn as bars.
        NaN and infinities have a colour of their own.
    channels: indices along C, drawn in this order.
    title: names the layer.
    Raises: InvalidParameter if no channel is given or so many do not fit.
    """
    if not channels:
        raise InvalidParameter("a picture needs at least one channel")
    chosen = values[list(channels)]
    captions = [str(channel) for channel in channels]
    scale = fit_scale(chosen)
    facts = [" x ".join(map(str, values.shape)), _spell_channels(len(channels), len(values))]
    if chosen[0].size == 1:
        body = draw_bars(chosen.reshape(-1), captions, scale)
    else:
        body, grid = draw_tiles(chosen.reshape(len(chosen), -1, chosen.shape[-1]), captions, scale)
        facts.append(_spell_size(grid))
    header = _draw_header(max(body.width, _NARROWEST_PX), title, " · ".join(facts), chosen, scale)
    return encode_png(np.asarray(_stack(header, body)))


def _spell_channels(shown: int, there: int) -> str:
    return "all channels" if shown == there else f"{shown} of {there} channels"


def _spell_size(grid: Grid) -> str:
    if grid.reduced > 1:
        return f"{grid.reduced} x {grid.reduced} cells averaged to a pixel"
    return f"a cell is {grid.enlarged} px" if grid.enlarged > 1 else "a cell is a pixel"


def _draw_header(
    width: int, title: str, facts: str, values: NDArray[np.float32], scale: ColorScale
) -> Image.Image:
    image = Image.new("RGB", (width, _HEADER_PX), PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((0, 0), shorten(title, _TITLE_PX, width), BRIGHT, font(_TITLE_PX))
    draw.text((0, 26), shorten(facts, _TEXT_PX, width), MUTED, font(_TEXT_PX))
    finite = values[np.isfinite(values)]
    reach = f"{finite.min():.4g} to {finite.max():.4g}" if finite.size else "no finite values"
    x = _draw_scale(image, 50, scale)
    draw.text((x, 48), f"values {reach}", BRIGHT, font(_TEXT_PX))
    if finite.size < values.size:
        x += int(font(_TEXT_PX).getlength(f"values {reach}")) + 16
        draw.rectangle((x, 50, x + 9, 59), NON_FINITE)
        draw.text((x + 15, 48), "NaN, infinite", MUTED, font(_TEXT_PX))
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
