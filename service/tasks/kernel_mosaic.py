"""The filters of a layer as one PNG."""

from collections.abc import Sequence
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.codecs.image import encode_png
from service.contract.errors import InvalidParameter
from service.tasks.bars import draw_bars
from service.tasks.colors import ColorScale, fit_scale
from service.tasks.header import put_header
from service.tasks.ink import MAX_SIDE_PX, PAPER
from service.tasks.kernels import Kernels
from service.tasks.tiles import Grid, lay_tiles, plan_grid, widest_px

Painted = NDArray[np.uint8]


def render_kernels(kernels: Kernels, channels: Sequence[int]) -> bytes:
    """Return a PNG of the filters with these numbers, at most 2048 pixels a side.

    Filters that read colours are drawn in colours, with gray for zero. Of others every slice is
    drawn, an input channel each. Filters along one axis that read one channel are rows.
    All share one scale. Raises: InvalidParameter if so many do not fit.
    """
    if not channels:
        raise InvalidParameter("a picture needs at least one channel")
    chosen = kernels.values[list(channels)]
    numbers = [str(channel) for channel in channels]
    facts = [" x ".join(map(str, kernels.values.shape)), kernels.op]
    scale = fit_scale(chosen)
    grid: Grid | None
    if kernels.colors is not None:
        body, grid = _tiles(_in_colors(chosen, kernels.colors), numbers)
        facts.append(f"gray is zero, black and white are {np.abs(chosen).max():.4g} away from it")
    elif chosen.ndim == 3 and chosen.shape[1] == 1:
        body, grid = _rows(chosen[:, 0], numbers, scale)
        facts.append("a filter is a row" if len(chosen) > 1 else "one filter")
    else:
        body, grid = _tiles([_slices(one, scale) for one in chosen], numbers)
        facts.append("a slice is an input channel" if chosen.ndim == 4 else "a row is a channel")
    if grid is not None and grid.enlarged > 1:
        facts.append(f"a weight is {grid.enlarged} px")
    legend = scale if kernels.colors is None else None
    header = put_header(body, kernels.layer, " · ".join(facts), chosen, legend)
    return encode_png(np.asarray(header))


def _in_colors(chosen: NDArray[np.float32], colors: Sequence[int]) -> list[Painted]:
    """Return the filters (count, 3, H, W) in the colours that they like to see."""
    most = float(np.abs(chosen).max()) or 1.0
    shown = chosen[:, list(colors)].transpose(0, 2, 3, 1) / most
    return list(np.rint(127.5 + 127.5 * shown).astype(np.uint8))


def _rows(
    chosen: NDArray[np.float32], numbers: Sequence[str], scale: ColorScale
) -> tuple[Image.Image, Grid | None]:
    """Return filters (count, length) as rows of colours, or a single one as bars."""
    if len(chosen) == 1:
        return draw_bars(chosen[0], [str(place) for place in range(chosen.shape[1])], scale), None
    caption = f"{numbers[0]} to {numbers[-1]}"
    return _tiles([scale.paint(chosen)], [caption])


def _slices(one: NDArray[np.float32], scale: ColorScale) -> Painted:
    """Return a filter (I, H, W) as a square of its slices, or (I, length) as rows."""
    if one.ndim == 2:
        return scale.paint(one)
    count, height, width = one.shape
    gap = 0 if height == width == 1 or count == 1 else 1
    columns = ceil(sqrt(count))
    rows = ceil(count / columns)
    down, across = height + gap, width + gap
    square = np.full((rows * down - gap, columns * across - gap, 3), PAPER, np.uint8)
    for place, slice_ in enumerate(scale.paint(one)):
        top, left = place // columns * down, place % columns * across
        square[top : top + height, left : left + width] = slice_
    return square


def _tiles(tiles: Sequence[Painted], captions: Sequence[str]) -> tuple[Image.Image, Grid]:
    height, width = tiles[0].shape[:2]
    grid = plan_grid(len(tiles), height, width, widest_px(captions))
    if grid.reduced > 1:
        raise InvalidParameter(
            f"{len(tiles)} filters of {width} x {height} weights do not fit into one picture of at "
            f"most {MAX_SIDE_PX} pixels a side; ask for fewer with channels="
        )
    return lay_tiles(tiles, captions, grid), grid
