"""Channels that are single numbers, as bars over a common zero line."""

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from service.contract.errors import InvalidParameter
from service.tasks.colors import NON_FINITE, ColorScale
from service.tasks.ink import FAINT, MARGIN_PX, MAX_SIDE_PX, MUTED, PAPER, font

_ROW_PX = 1200
_CAPTION_PX = 11
_CAPTION_HEIGHT_PX = 16
_CAPTION_ROOM_PX = 34
_STEPS = (1, 2, 5, 10, 20, 50)  # bars from caption to caption
_LOWEST_PX, _HIGHEST_PX = 40, 160
_BODY_PX = MAX_SIDE_PX - 2 * MARGIN_PX - 100


def draw_bars(
    values: NDArray[np.floating[Any]], captions: Sequence[str], scale: ColorScale
) -> Image.Image:
    """Return the bars, in as many rows as are needed.

    values: (count,), one a bar.
    captions: the text below each; where bars are thin, only some are written.
    Raises: InvalidParameter if so many do not fit.
    """
    pitch = max(1, min(40, _ROW_PX // len(values)))
    per_row = _ROW_PX // pitch
    rows = ceil(len(values) / per_row)
    height = min(_HIGHEST_PX, _BODY_PX // rows - _CAPTION_HEIGHT_PX)
    if height < _LOWEST_PX:
        raise InvalidParameter(
            f"{len(values)} values do not fit into one picture of at most {MAX_SIDE_PX} pixels "
            "a side; ask for fewer with channels= or top_k="
        )
    size = (min(len(values), per_row) * pitch, rows * (height + _CAPTION_HEIGHT_PX))
    image = Image.new("RGB", size, PAPER)
    for row in range(rows):
        part = slice(row * per_row, (row + 1) * per_row)
        top = row * (height + _CAPTION_HEIGHT_PX)
        _draw_row(image, (top, height, pitch), values[part], captions[part], scale)
    return image


def _draw_row(
    image: Image.Image,
    place: tuple[int, int, int],
    values: NDArray[np.floating[Any]],
    captions: Sequence[str],
    scale: ColorScale,
) -> None:
    top, height, pitch = place
    draw = ImageDraw.Draw(image)
    low, high = min(scale.low, 0.0), max(scale.high, 0.0)
    per_unit = (height - 1) / ((high - low) or 1.0)
    zero = top + round(high * per_unit)
    draw.line((0, zero, image.width, zero), FAINT)
    gap = 0 if pitch < 3 else 1 if pitch < 8 else 3
    every = next(step for step in _STEPS if step * pitch >= _CAPTION_ROOM_PX)
    for index, (value, color) in enumerate(zip(values, scale.paint(values), strict=True)):
        left = index * pitch
        end = top + round((high - value) * per_unit) if np.isfinite(value) else top
        base = zero if np.isfinite(value) else top + height - 1
        ink = tuple(int(part) for part in color) if np.isfinite(value) else NON_FINITE
        draw.rectangle((left, min(end, base), left + pitch - 1 - gap, max(end, base)), ink)
        if index % every == 0 and left + _CAPTION_ROOM_PX <= max(image.width, _CAPTION_ROOM_PX):
            draw.text((left, top + height + 2), captions[index], MUTED, font(_CAPTION_PX))
