"""Maps that are weighted sums of channels."""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.floating[Any]]
Weights = NDArray[np.float64]
T = TypeVar("T")
# Work in portions: between two of them others have their turn.
Steps = Generator[None, None, T]
# Differences of scores that are smaller than this part of them are what rounding leaves.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Weighed:
    """A map, and the weights (C,) with which it was summed; None for one that is no such sum.

    values: (H, W) float32, neither cut at zero nor normalised.
    tried: of how many channels the weight was found out; that of all others is zero.
    """

    values: NDArray[np.float32] = field(repr=False)
    weights: Weights | None = field(default=None, repr=False)
    tried: int | None = None


def weigh(maps: Maps, weights: Weights, tried: int) -> Weighed:
    """Return the sum of the maps (C, H, W) with those weights (C,)."""
    values = np.tensordot(weights, maps.astype(np.float64), axes=1)
    return Weighed(values.astype(np.float32), weights, tried)


def strongest(figures: NDArray[np.floating[Any]], most: int) -> NDArray[np.intp]:
    """Return the numbers of the channels with the largest figures, those of zero left out.

    A NaN counts as large: that it is there must not be hidden.

    >>> strongest(np.array([0.0, 2.0, 3.0, 1.0]), most=2).tolist()
    [2, 1]
    """
    order = np.argsort(-np.nan_to_num(figures, nan=np.inf), kind="stable")
    chosen: NDArray[np.intp] = order[figures[order] != 0][:most]
    return chosen
