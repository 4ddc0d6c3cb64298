"""Which pixels of a picture are which seconds of a sound, and which cells of a map lie there."""

from dataclasses import dataclass
from math import ceil, floor, log10

import numpy as np
from numpy.typing import NDArray

_ROUND = (1, 2, 5, 10)


@dataclass(frozen=True)
class Timeline:
    """What is shown of a sound, and where the cells of a map lie in it; all in seconds.

    begin_s, end_s: of what is shown.
    first_s: the middle of the first cell.
    cell_s: from cell to cell.
    """

    begin_s: float
    end_s: float
    first_s: float
    cell_s: float

    def cells_to_a_pixel(self, width_px: int) -> int:
        """Return how many cells must be made one, so that each has a pixel at least."""
        return max(1, ceil((self.end_s - self.begin_s) / width_px / self.cell_s - 1e-6))

    def blocks_at(self, width_px: int, count: int, cells: int) -> NDArray[np.intp]:
        """Return which block each pixel shows, (width_px,); -1 where there is none.

        count: of blocks. cells: in each of them.
        """
        middles = (np.arange(width_px) + 0.5) / width_px * (self.end_s - self.begin_s)
        left = self.first_s - self.cell_s / 2 - self.begin_s
        blocks = np.floor((middles - left) / (self.cell_s * cells)).astype(np.intp)
        return np.where((blocks >= 0) & (blocks < count), blocks, -1)

    def ticks(self, width_px: int, apart_px: float) -> list[tuple[int, str]]:
        """Return pixels and labels of round numbers, no closer to each other than `apart_px`."""
        span = self.end_s - self.begin_s
        step = round_step(span * apart_px / width_px)
        digits = max(0, -floor(log10(step) + 1e-9))
        numbers = range(ceil(self.begin_s / step - 1e-6), floor(self.end_s / step + 1e-6) + 1)
        return [
            (round((number * step - self.begin_s) / span * width_px), f"{number * step:.{digits}f}")
            for number in numbers
        ]


def round_step(least: float) -> float:
    """Return the smallest of ... 0.5, 1, 2, 5, 10 ... that is no less.

    >>> round_step(0.3), round_step(2), round_step(60)
    (0.5, 2.0, 100.0)
    """
    power = 10.0 ** floor(log10(least))
    return float(next(power * step for step in _ROUND if power * step >= least * (1 - 1e-9)))
