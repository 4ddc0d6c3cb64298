"""Windows of a sound that say the same, one after the other, as stretches of time."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Run(NamedTuple):
    """Windows from number `first` to before `end`, and the time that is theirs."""

    start_s: float
    end_s: float
    first: int
    end: int


def runs_of(said: Sequence[Hashable], times_s: NDArray[np.float64], duration_s: float) -> list[Run]:
    """Return neighbouring windows that say the same as one; the runs cover all of the sound.

    said: by each window. times_s: (windows, 2), where each begins and ends.
    Between two that overlap, the border is in the middle of what they share.

    >>> times_s = np.array([[0.0, 2.0], [1.0, 3.0], [2.0, 4.0]])
    >>> [tuple(run) for run in runs_of("aab", times_s, 4.0)]
    [(0.0, 2.5, 0, 2), (2.5, 4.0, 2, 3)]
    """
    inner = [i for i in range(1, len(said)) if said[i] != said[i - 1]]
    middles = [float(times_s[i - 1, 1] + times_s[i, 0]) / 2 for i in inner]
    edges, borders = [0, *inner, len(said)], [0.0, *middles, duration_s]
    return [Run(*run) for run in zip(borders, borders[1:], edges, edges[1:], strict=False)]
