"""A large picture in overlapping tiles, and one answer made of theirs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.contract.frame import Size
from service.contract.preprocess import Pixels

Probabilities = NDArray[np.float32]  # (C, H, W)
Part = tuple[slice, slice]  # rows and columns of the input
# One tile (H, W, C) uint8 to its probabilities.
RunTile = Callable[[Pixels], Probabilities]
# Of every tile, so much of either side is seen by its neighbour too.
_OVERLAP = 1 / 4
_SMALLEST = np.float32(1e-12)  # its logarithm is finite, and it is never the likeliest


@dataclass(frozen=True)
class Grid:
    """Where tiles begin, along one axis of `length` pixels; all numbers are multiples of one."""

    length: int
    tile: int
    starts: tuple[int, ...]

    def weights(self, index: int) -> NDArray[np.float32]:
        """Return how much each pixel of a tile counts, (tile,) in 0..1.

        Towards a neighbour the outermost part of the overlap does not count at all, because a
        convolution sees padding there; then it rises to 1. At the picture's own border it is 1.
        """
        start, end = self.starts[index], self.starts[index] + self.tile
        weights = np.ones(self.tile, np.float32)
        if index:
            overlap = self.starts[index - 1] + self.tile - start
            weights[:overlap] = _ramp(overlap)
        if index + 1 < len(self.starts):
            overlap = end - self.starts[index + 1]
            weights[self.tile - overlap :] = np.minimum(
                weights[self.tile - overlap :], 1 - _ramp(overlap)
            )
        return weights

    def total(self) -> NDArray[np.float32]:
        """Return the sum of all tiles' weights at every pixel, (length,), above 0 everywhere."""
        total = np.zeros(self.length, np.float32)
        for index, start in enumerate(self.starts):
            total[start : start + self.tile] += self.weights(index)
        return total


def grid_of(length: int, tile: int, multiple: int) -> Grid:
    """Return tiles that cover the axis, each beginning at a multiple of `multiple`.

    So every tile meets the strides of a net as the whole picture does, and far from its border
    it gives what the whole would.
    length, tile: multiples of `multiple`.

    >>> grid_of(64, 32, 8).starts
    (0, 24, 32)
    """
    if length <= tile:
        return Grid(length, length, (0,))
    overlap = max(multiple, round(tile * _OVERLAP / multiple) * multiple)
    step = max(multiple, tile - overlap)
    return Grid(length, tile, (*range(0, length - tile, step), length - tile))


def run_in_tiles(
    picture: Pixels, outer: Size, tile: int, multiple: int, classes: int, run: RunTile
) -> Iterator[tuple[Part, Probabilities]]:
    """Run the picture in tiles, and yield parts of the blended probabilities as they get ready.

    picture: (H, W, C) uint8; up to `outer`, its last row and column are repeated.
    tile: side of a tile in pixels, a multiple of `multiple`.
    Logits are what is blended: the logarithm of a softmax is the logits but for one number a
    pixel, and a softmax takes no notice of that.
    Memory: a strip of the shorter side and one tile, however large the picture is.
    """
    rows, columns = (grid_of(length, tile, multiple) for length in outer)
    if outer[1] > outer[0]:
        # along the longer side, so that the strip lies across the shorter one
        for (down, right), part in _strips(
            columns, rows, classes, lambda x, y: run(_cut(picture, y, x)).swapaxes(1, 2)
        ):
            yield (right, down), part.swapaxes(1, 2)
    else:
        yield from _strips(rows, columns, classes, lambda y, x: run(_cut(picture, y, x)))


def _strips(
    along: Grid, across: Grid, classes: int, run: Callable[[slice, slice], Probabilities]
) -> Iterator[tuple[Part, Probabilities]]:
    """Yield (C, along, across) parts; `run` takes a tile's place along and across."""
    strip = np.zeros((classes, along.tile, across.length), np.float32)
    total_along, total_across = along.total(), across.total()
    for index, start in enumerate(along.starts):
        here = slice(start, start + along.tile)
        weights = along.weights(index)
        for number, place in enumerate(across.starts):
            there = slice(place, place + across.tile)
            logits = np.log(np.maximum(run(here, there), _SMALLEST))
            logits *= weights[:, None] * across.weights(number)
            strip[:, :, there] += logits
        end = along.starts[index + 1] if index + 1 < len(along.starts) else along.length
        done = end - start
        blended = strip[:, :done] / (total_along[start:end, None] * total_across)
        yield (slice(start, end), slice(0, across.length)), _softmax(blended)
        strip[:, : along.tile - done] = strip[:, done:].copy()
        strip[:, along.tile - done :] = 0


def _cut(picture: Pixels, rows: slice, columns: slice) -> Pixels:
    """Return that part of the picture, with its last row and column repeated where it ends."""
    part = picture[rows, columns]
    missing = (rows.stop - rows.start - part.shape[0], columns.stop - columns.start - part.shape[1])
    return np.pad(part, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")


def _ramp(overlap: int) -> NDArray[np.float32]:
    """Return 0 over the first quarter, 1 over the last one, and a straight line between them."""
    places = (np.arange(overlap, dtype=np.float32) + 0.5) / overlap
    return np.clip(2 * places - 0.5, 0, 1)


def _softmax(logits: Probabilities) -> Probabilities:
    logits -= logits.max(0)
    np.exp(logits, out=logits)
    logits /= logits.sum(0)
    return logits
