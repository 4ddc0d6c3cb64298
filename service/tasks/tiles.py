"""Channels that have a height and a width, as a grid of small pictures."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from service.contract.errors import InvalidParameter
from service.tasks.colors import ColorScale
from service.tasks.ink import MARGIN_PX, MAX_SIDE_PX, MUTED, PAPER, font

_GAP_PX = 6
_CAPTION_PX = 11
_CAPTION_HEIGHT_PX = 14
_HEADER_PX = 100
# Wider than high, as screens are.
_ASPECT = 1.4
# A grid that needs no more than this is enlarged up to it.
_COMFORTABLE_PX = 1200


@dataclass(frozen=True)
class Grid:
    """How the tiles are laid out.

    enlarged: screen pixels per cell of the map.
    reduced: cells per screen pixel and axis, averaged, for maps too large to show whole.
    tile: width and height of a tile in pixels, without its caption.
    """

    columns: int
    rows: int
    enlarged: int
    reduced: int
    tile: tuple[int, int]
    pitch: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole grid."""
        return self.columns * self.pitch[0] - _GAP_PX, self.rows * self.pitch[1] - _GAP_PX


def plan_grid(
    count: int, height: int, width: int, caption_px: int, zoom: int | None = None
) -> Grid:
    """Return the layout of `count` maps of (height, width), as large as is comfortable.

    zoom: screen pixels per cell, instead.
    Raises: InvalidParameter if so many do not fit at that or at any size.
    """
    if zoom is not None:
        return _zoomed(count, height, width, caption_px, zoom)
    largest = (512 if count <= 2 else 256) // max(height, width)
    for enlarged in range(largest, 1, -1):
        grid = _grid(count, enlarged, 1, (width * enlarged, height * enlarged), caption_px)
        if max(grid.size) <= _COMFORTABLE_PX:
            return grid
    for reduced in range(1, max(height, width) + 1):
        tile = (ceil(width / reduced), ceil(height / reduced))
        grid = _grid(count, 1, reduced, tile, caption_px)
        if _fits(grid):
            return grid
    raise InvalidParameter(
        f"{count} channels do not fit into one picture of at most {MAX_SIDE_PX} pixels a side; "
        "ask for fewer with channels= or top_k="
    )


def _zoomed(count: int, height: int, width: int, caption_px: int, zoom: int) -> Grid:
    grid = _grid(count, zoom, 1, (width * zoom, height * zoom), caption_px)
    if not _fits(grid):
        raise InvalidParameter(
            f"{count} channels of {width} x {height} cells do not fit with zoom={zoom} into one "
            f"picture of at most {MAX_SIDE_PX} pixels a side; ask for fewer, or less zoom"
        )
    return grid


def _fits(grid: Grid) -> bool:
    room = MAX_SIDE_PX - 2 * MARGIN_PX
    return grid.size[0] <= room and grid.size[1] <= room - _HEADER_PX


def _grid(count: int, enlarged: int, reduced: int, tile: tuple[int, int], caption_px: int) -> Grid:
    across = max(tile[0], caption_px) + _GAP_PX
    down = tile[1] + _CAPTION_HEIGHT_PX + _GAP_PX
    columns = min(count, max(1, round(sqrt(count * down / across * _ASPECT))))
    rows = ceil(count / columns)
    return Grid(ceil(count / rows), rows, enlarged, reduced, tile, (across, down))


def draw_tiles(
    maps: NDArray[Any],
    captions: Sequence[str],
    scales: Sequence[ColorScale],
    zoom: int | None = None,
) -> tuple[Image.Image, Grid]:
    """Return the grid and how it was laid out.

    maps: (count, H, W), one a tile.
    captions: the text above each.
    scales: of each, or one of all.
    zoom: as for `plan_grid`.
    """
    grid = plan_grid(len(maps), maps.shape[1], maps.shape[2], widest_px(captions), zoom)
    shown = averaged(maps, grid.reduced, grid.reduced)
    every = scales if len(scales) == len(maps) else [scales[0]] * len(maps)
    tiles = (scale.paint(tile) for tile, scale in zip(shown, every, strict=True))
    return lay_tiles(tiles, captions, grid), grid


def lay_tiles(
    tiles: Iterable[NDArray[np.uint8]], captions: Sequence[str], grid: Grid
) -> Image.Image:
    """Return the painted tiles, each (H, W, 3), enlarged and laid out, with their captions."""
    width, height = grid.size
    pixels = np.full((height, width, 3), PAPER, np.uint8)
    corners = list(_corners(grid, len(captions)))
    for tile, (left, top) in zip(tiles, corners, strict=True):
        enlarged = tile.repeat(grid.enlarged, axis=0).repeat(grid.enlarged, axis=1)
        high, wide = enlarged.shape[:2]
        below = top + _CAPTION_HEIGHT_PX
        pixels[below : below + high, left : left + wide] = enlarged
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    for caption, corner in zip(captions, corners, strict=True):
        draw.text(corner, caption, MUTED, font(_CAPTION_PX))
    return image


def widest_px(captions: Sequence[str]) -> int:
    """Return the width of the longest caption."""
    return ceil(max(font(_CAPTION_PX).getlength(caption) for caption in captions))


def _corners(grid: Grid, count: int) -> Iterator[tuple[int, int]]:
    for place in range(count):
        row, column = divmod(place, grid.columns)
        yield column * grid.pitch[0], row * grid.pitch[1]


def averaged(maps: NDArray[Any], down: int, across: int) -> NDArray[Any]:
    """Return the maps with `down` x `across` cells made one; a NaN among them stays one.

    maps: (count, H, W).
    """
    if down == across == 1:
        return maps
    _, height, width = maps.shape
    full = np.pad(maps, ((0, 0), (0, -height % down), (0, -width % across)), mode="edge")
    blocks = full.reshape(len(maps), full.shape[1] // down, down, full.shape[2] // across, across)
    averages: NDArray[Any] = blocks.mean(axis=(2, 4))
    return averages
