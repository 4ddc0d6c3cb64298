"""A layer's map made small: its strongest channel, for pictures of all layers at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.contract.specs import Shape
from service.tasks.colors import ColorScale
from service.tasks.feature_map import FeatureMap
from service.tasks.ink import PAPER
from service.tasks.tiles import averaged

# No picture shows a thumbnail larger than this.
_MOST_CELLS = 160


@dataclass(frozen=True)
class Thumbnail:
    """What is left of a map (C, H, W), (C, L) or (C,) to be shown.

    values: (rows, columns) of the strongest channel, cells averaged if they are many. Of a
        sequence all channels are shown, each a row; single numbers are folded to a square, what
        is missing in the last row being NaN.
    channel: the strongest one, or None if all are shown.
    """

    layer: str
    shape: Shape
    channel: int | None
    values: NDArray[np.float32] = field(repr=False)
    folded: bool = False

    @property
    def upside_down(self) -> "Thumbnail":
        """The same with its first row at the bottom, as spectrograms are drawn."""
        maps = len(self.shape) == 3 and not self.folded
        return replace(self, values=self.values[::-1]) if maps else self

    def painted(self, side: int, scale: ColorScale) -> NDArray[np.uint8]:
        """Return the map in its own shape, (H, W, 3), so that its longer side has so many pixels.

        A sequence fills a square.
        """
        colors = scale.paint(self.values)
        if self.folded:
            colors.reshape(-1, 3)[int(self.shape[0] or 0) :] = PAPER
        rows, columns = self.values.shape
        ratio = side / max(rows, columns)
        size = (max(1, round(columns * ratio)), max(1, round(rows * ratio)))
        if len(self.shape) == 2:
            size = (side, side)
        way = Image.Resampling.NEAREST if ratio >= 1 else Image.Resampling.BOX
        return np.asarray(Image.fromarray(colors).resize(size, way))


def make_thumbnail(found: FeatureMap) -> Thumbnail:
    """Return the thumbnail of the map, which keeps nothing of the map itself in memory."""
    values, shape = found.values, found.values.shape
    name = found.tap.name
    if values[0].size == 1:
        columns = ceil(sqrt(len(values)))
        square = np.full(columns * ceil(len(values) / columns), np.nan, np.float32)
        square[: len(values)] = values.reshape(-1)
        return Thumbnail(name, shape, None, square.reshape(-1, columns), folded=True)
    if values.ndim == 2:
        down, across = (ceil(size / _MOST_CELLS) for size in values.shape)
        return Thumbnail(name, shape, None, averaged(values[None], down, across)[0].copy())
    (channel,) = found.strongest(range(len(values)), 1)
    return _of_channel(found, channel)


def channel_thumbnails(found: FeatureMap, channels: Sequence[int]) -> list[Thumbnail]:
    """Return a thumbnail of each of the channels."""
    return [_of_channel(found, channel) for channel in channels]


def _of_channel(found: FeatureMap, channel: int) -> Thumbnail:
    columns = found.values.shape[-1] if found.values.ndim > 1 else 1
    rows = found.values[channel].reshape(-1, columns)
    return Thumbnail(found.tap.name, found.values.shape, channel, _small(rows))


def _small(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a copy of the map (rows, columns) with no more cells than are ever shown."""
    cells = ceil(max(values.shape) / _MOST_CELLS)
    small: NDArray[np.float32] = averaged(values[None], cells, cells)[0].copy()
    return small
