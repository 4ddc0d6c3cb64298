"""Where the cells of a map lie in a model's input, and its values between them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.graph.layers import Layer

Values = NDArray[np.floating[Any]]
Places = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Grid:
    """Cells in rows and columns; pairs are (vertical, horizontal), in units of the input.

    These are pixels of a picture; of a sound, samples along the time, and bands up and down.

    start: the middle of the first cell; the first pixel's middle is 0.5.
    jump: from cell to cell.
    """

    start: tuple[float, float]
    jump: tuple[float, float]

    def middle(self, row: int, column: int) -> tuple[float, float]:
        """Return where the middle of a cell lies."""
        return self.start[0] + row * self.jump[0], self.start[1] + column * self.jump[1]

    def sample(self, maps: Values, rows: Places, columns: Places) -> Values:
        """Return the maps (..., H, W) at those places of the input, (..., rows, columns).

        Between the middles of cells values go over into each other in straight lines; beyond the
        outermost ones they stay as they are.
        """
        along = _between(maps, _places(rows, self.start[0], self.jump[0]), axis=-2)
        return _between(along, _places(columns, self.start[1], self.jump[1]), axis=-1)


def grid_of(layer: Layer, cells: tuple[int, int], size: tuple[int, int]) -> Grid:
    """Return where the cells of the layer's map lie.

    cells: rows and columns of the map. size: of the input, in its own units.
    If it is not known what the cells see, they are laid evenly over the input.
    """
    if layer.start is not None and layer.jump is not None:
        return Grid(layer.start, layer.jump)
    jump = size[0] / cells[0], size[1] / cells[1]
    return Grid((jump[0] / 2, jump[1] / 2), jump)


def _places(where: Places, start: float, jump: float) -> Places:
    return (where.astype(np.float64) - start) / jump


def _between(maps: Values, places: Places, axis: int) -> Values:
    last = maps.shape[axis] - 1
    places = np.clip(places, 0, last)
    low = np.floor(places).astype(np.intp)
    shape = (-1, 1) if axis == -2 else (-1,)
    share = (places - low).astype(maps.dtype).reshape(shape)
    before, behind = maps.take(low, axis), maps.take(np.minimum(low + 1, last), axis)
    between: Values = before + (behind - before) * share
    return between
