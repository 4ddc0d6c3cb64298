"""All layers in one PNG: a sheet of titled tiles, or a bare strip."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from service.codecs.image import encode_png
from service.contract.errors import InvalidParameter
from service.tasks.colors import Colormap, ColorScale, fit_colormap
from service.tasks.ink import BRIGHT, MARGIN_PX, MAX_SIDE_PX, MUTED, PAPER, font, shorten
from service.tasks.thumbnail import Thumbnail

STRIP_PX = 64
_MOST_IN_A_STRIP = 1024
_TITLE_PX, _FACTS_PX, _TEXT_PX = 18, 13, 11
_LINE_PX = 14
_SPOKEN_PX = 80  # smaller tiles have their name only
_ASPECT = 1.4
_HEAD_PX = 56
_GAP_PX = 10
_ROOM_PX = MAX_SIDE_PX - 2 * MARGIN_PX
_SIDES_PX = (160, 144, 128, 112, 96, 80, 64, 48, 32)
_NARROWEST_PX = 80  # or titles could not be read


def render_sheet(thumbnails: Sequence[Thumbnail], title: str, colormap: Colormap = "auto") -> bytes:
    """Return a PNG with a titled tile for each layer, at most 2048 pixels a side.

    Raises: InvalidParameter if there are so many layers that they do not fit.
    """
    side, columns = _plan(len(thumbnails))
    across, down = _pitch(side)
    width = columns * across - _GAP_PX
    height = -(-len(thumbnails) // columns) * down - _GAP_PX + _HEAD_PX
    image = Image.new("RGB", (width + 2 * MARGIN_PX, height + 2 * MARGIN_PX), PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN_PX, MARGIN_PX), shorten(title, _TITLE_PX, width), BRIGHT, font(_TITLE_PX))
    facts = f"{len(thumbnails)} layers: the strongest channel of each, in colours of its own"
    draw.text((MARGIN_PX, MARGIN_PX + 26), shorten(facts, _FACTS_PX, width), MUTED, font(_FACTS_PX))
    for place, thumbnail in enumerate(thumbnails):
        row, column = divmod(place, columns)
        x, y = MARGIN_PX + column * across, MARGIN_PX + _HEAD_PX + row * down
        for line, text in enumerate(_lines(thumbnail, side)):
            ink = MUTED if line else BRIGHT
            short = shorten(text, _TEXT_PX, across - _GAP_PX)
            draw.text((x, y + line * _LINE_PX), short, ink, font(_TEXT_PX))
        tile = thumbnail.painted(side, fit_colormap(thumbnail.values, colormap))
        image.paste(Image.fromarray(tile), (x, y + _above(side)))
    return encode_png(np.asarray(image))


def render_strip(thumbnails: Sequence[Thumbnail], scales: Sequence[ColorScale]) -> bytes:
    """Return a PNG of bare tiles of 64 x 64 pixels below each other, one a thumbnail.

    scales: of each.
    Raises: InvalidParameter if there are more than 1024.
    """
    if len(thumbnails) > _MOST_IN_A_STRIP:
        raise InvalidParameter(
            f"{len(thumbnails)} tiles are too many for a strip, "
            f"which has {_MOST_IN_A_STRIP} at most; ask for fewer with channels= or top_k="
        )
    strip = Image.new("RGB", (STRIP_PX, STRIP_PX * len(thumbnails)), PAPER)
    for place, (thumbnail, scale) in enumerate(zip(thumbnails, scales, strict=True)):
        tile = Image.fromarray(thumbnail.painted(STRIP_PX, scale))
        left, above = (STRIP_PX - tile.width) // 2, (STRIP_PX - tile.height) // 2
        strip.paste(tile, (left, place * STRIP_PX + above))
    return encode_png(np.asarray(strip))


def _plan(count: int) -> tuple[int, int]:
    """Return the side of a tile and how many stand beside each other."""
    for side in _SIDES_PX:
        across, down = _pitch(side)
        columns, rows = _ROOM_PX // across, (_ROOM_PX - _HEAD_PX) // down
        if columns * rows >= count:
            comfortable = max(4, round((count * down / across * _ASPECT) ** 0.5))
            return side, min(count, columns, comfortable)
    raise InvalidParameter(
        f"{count} layers do not fit into one picture of at most {MAX_SIDE_PX} pixels a side; "
        "ask for render=strip, or for JSON"
    )


def _pitch(side: int) -> tuple[int, int]:
    """Return the way from one tile to the next, right and down."""
    return max(side, _NARROWEST_PX) + _GAP_PX, _above(side) + side + _GAP_PX


def _above(side: int) -> int:
    """Return the room for the lines above a tile."""
    return _LINE_PX * (3 if side >= _SPOKEN_PX else 1) + 3


def _lines(thumbnail: Thumbnail, side: int) -> tuple[str, ...]:
    """Return what stands above a tile: the module, what it is, its size and the channel."""
    if side < _SPOKEN_PX:
        return (thumbnail.layer,)
    module, _, made_by = thumbnail.layer.rpartition("/")
    shape = " x ".join(map(str, thumbnail.shape))
    channel = "" if thumbnail.channel is None else f" · ch {thumbnail.channel}"
    return module or made_by, made_by if module else "", f"{shape}{channel}"
