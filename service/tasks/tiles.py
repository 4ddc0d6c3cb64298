"""Channels that have a height and a width, as a grid of small pictures."""

from collections.abc import Iterator, Sequence
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


def plan_grid(count: int, height: int, width: int, caption_px: int) -> Grid:
    """Return the layout of `count` maps of (height, width), as large as is comfortable.

    Raises: InvalidParameter if so many do not fit at any size.
    """
    largest = (512 if count <= 2 else 256) // max(height, width)
    for enlarged in range(largest, 1, -1):
        grid = _grid(count, enlarged, 1, (width * enlarged, height * enlarged), caption_px)
        if max(grid.size) <= _COMFORTABLE_PX:
            return grid
    room = MAX_SIDE_PX - 2 * MARGIN_PX
    for reduced in range(1, max(height, width) + 1):
        tile = (ceil(width / reduced), ceil(height / reduced))
        grid = _grid(count, 1, reduced, tile, caption_px)
        if grid.size[0] <= room and grid.size[1] <= room - _HEADER_PX:
            return grid
    raise InvalidParameter(
        f"{count} channels do not fit into one picture of at most {MAX_SIDE_PX} pixels a side; "
        "ask for fewer with channels="
    )


def _grid(count: int, enlarged: int, reduced: int, tile: tuple[int, int], caption_px: int) -> Grid:
    across = max(tile[0], caption_px) + _GAP_PX
    down = tile[1] + _CAPTION_HEIGHT_PX + _GAP_PX
    columns = min(count, max(1, round(sqrt(count * down / across * _ASPECT))))
    rows = ceil(count / columns)
    return Grid(ceil(count / rows), rows, enlarged, reduced, tile, (across, down))


def draw_tiles(
    maps: NDArray[Any], captions: Sequence[str], scale: ColorScale
) -> tuple[Image.Image, Grid]:
    """Return the grid and how it was laid out.

    maps: (count, H, W), one a tile.
    captions: the text above each.
    """
    widest = ceil(max(font(_CAPTION_PX).getlength(caption) for caption in captions))
    grid = plan_grid(len(maps), maps.shape[1], maps.shape[2], widest)
    width, height = grid.size
    pixels = np.full((height, width, 3), PAPER, np.uint8)
    shown = scale.paint(averaged(maps, grid.reduced, grid.reduced))
    for tile, (left, top) in zip(shown, _corners(grid, len(maps)), strict=True):
        enlarged = tile.repeat(grid.enlarged, axis=0).repeat(grid.enlarged, axis=1)
        high, wide = enlarged.shape[:2]
        below = top + _CAPTION_HEIGHT_PX
        pixels[below : below + high, left : left + wide] = enlarged
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    for caption, corner in zip(captions, _corners(grid, len(maps)), strict=True):
        draw.text(corner, caption, MUTED, font(_CAPTION_PX))
    return image, grid


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
