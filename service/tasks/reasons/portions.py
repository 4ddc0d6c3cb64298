"""How much is computed for one explanation, and in which portions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from service.graph.layers import Layer

# Between two portions others have their turn: one takes about 0.1 s of a processor, ...
_PORTION_MACS = 2e9
# ... and keeps its largest activation, with what it is made of, in so much memory.
_PORTION_BYTES = 64 * 2**20
_PORTION_ITEMS = 64
# Two processors do so much in about ten seconds, a third of the time that a request may take.
_REQUEST_MACS = 5e11
# What is left of that for a huge net would say nothing.
_FEWEST_ITEMS = 16


@dataclass(frozen=True)
class Portions:
    """at_once: items that are run together. most: items that are run for one explanation."""

    at_once: int
    most: int

    def of(self, chosen: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
        """Yield the numbers that were chosen in portions."""
        for first in range(0, len(chosen), self.at_once):
            yield chosen[first : first + self.at_once]


def portions_of(layers: Sequence[Layer], enlarged: float, most: int) -> Portions:
    """Return the portions for items that go through those layers.

    enlarged: how many times as many pixels the input has as the one that the layers tell of.
    most: items at most, however cheap they are.
    """
    macs = max(1.0, enlarged * sum(layer.macs or 0 for layer in layers))
    numbers = max((prod(size or 1 for size in layer.shape) for layer in layers), default=1)
    item_bytes = 2 * 4 * enlarged * numbers
    at_once = min(_PORTION_ITEMS, _PORTION_MACS // macs, _PORTION_BYTES // item_bytes)
    return Portions(
        at_once=max(1, int(at_once)),
        most=int(min(most, max(_FEWEST_ITEMS, _REQUEST_MACS // macs))),
    )
