"""A feature map as one PNG: what it is, the scale of its colours, and its channels."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.codecs.image import encode_png
from service.contract.errors import InvalidParameter
from service.tasks.bars import draw_bars
from service.tasks.colors import ColorScale
from service.tasks.header import put_header
from service.tasks.look import AS_USUAL, Look
from service.tasks.tiles import Grid, draw_tiles


def render_mosaic(
    values: NDArray[np.float32], channels: Sequence[int], title: str, look: Look = AS_USUAL
) -> bytes:
    """Return a PNG of the channels, at most 2048 pixels a side.

    values: (C, H, W), drawn as a tile a channel, or (C,) and (C, 1, 1), drawn as bars.
        NaN and infinities have a colour of their own.
    channels: indices along C, drawn in this order.
    title: names the layer.
    look: of single numbers only its colours count.
    Raises: InvalidParameter if no channel is given or so many do not fit.
    """
    if not channels:
        raise InvalidParameter("a picture needs at least one channel")
    chosen = values[list(channels)]
    facts = [" x ".join(map(str, values.shape)), spell_channels(len(channels), len(values))]
    if chosen[0].size == 1:
        (scale,) = replace(look, scale="shared").scales(chosen)
        numbers = [str(channel) for channel in channels]
        body = draw_bars(chosen.reshape(-1), numbers, scale)
        return _framed(body, title, facts, chosen, scale)
    scales = look.scales(chosen)
    maps = chosen.reshape(len(chosen), -1, chosen.shape[-1])
    body, grid = draw_tiles(maps, look.captions(channels, scales), scales, look.zoom)
    facts += filter(None, [_spell_size(grid), look.fact])
    return _framed(body, title, facts, chosen, scales[0] if look.scale == "shared" else None)


def _framed(
    body: Image.Image,
    title: str,
    facts: Sequence[str],
    chosen: NDArray[np.float32],
    scale: ColorScale | None,
) -> bytes:
    return encode_png(np.asarray(put_header(body, title, " · ".join(facts), chosen, scale)))


def spell_channels(shown: int, there: int) -> str:
    """Return how many of the channels are shown, in words."""
    return "all channels" if shown == there else f"{shown} of {there} channels"


def _spell_size(grid: Grid) -> str:
    if grid.reduced > 1:
        return f"{grid.reduced} x {grid.reduced} cells averaged to a pixel"
    return f"a cell is {grid.enlarged} px" if grid.enlarged > 1 else "a cell is a pixel"
