"""What a layer made of an input, and the figures of that."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from operator import eq
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.manifest import Tap


@dataclass(frozen=True)
class Figures:
    """Figures of some values over the finite ones; None where there are none.

    zero_share: share of values that are exactly zero, in 0..1.
    non_finite: how many values are NaN or infinite.
    """

    minimum: float | None
    maximum: float | None
    mean: float | None
    zero_share: float
    non_finite: int


@dataclass(frozen=True)
class ChannelStatistics(Figures):
    """Figures of one channel."""

    channel: int


@dataclass(frozen=True)
class FeatureMap:
    """The activation at a tap for one picture or one window of a sound.

    values: float32 of the tap's shape, (C, H, W), (C, L) or (C,).
    """

    tap: Tap
    values: NDArray[np.float32]

    @property
    def dead_channel_share(self) -> float:
        """Share of the channels that are zero everywhere for this input, in 0..1."""
        return float(np.mean(~np.any(self.values.reshape(len(self.values), -1), axis=1)))

    def figures(self) -> Figures:
        """Return the figures of all channels together."""
        return Figures(**_figures(self.values))

    def of(self, channels: Sequence[int]) -> NDArray[np.float32]:
        """Return the values of those channels; of all of them in order without a copy."""
        if len(channels) == len(self.values) and all(map(eq, channels, count())):
            return self.values
        return self.values[list(channels)]

    def statistics(self, channels: Sequence[int]) -> list[ChannelStatistics]:
        """Return the figures of the given channels, in that order."""
        return [
            ChannelStatistics(channel=channel, **_figures(self.values[channel]))
            for channel in channels
        ]

    def strongest(self, channels: Sequence[int], most: int) -> tuple[int, ...]:
        """Return those of the channels whose values are largest, the strongest first.

        What counts is the mean of a channel's absolute values, as far as they are finite.
        """
        flat = np.abs(self.values[list(channels)].reshape(len(channels), -1))
        finite = np.isfinite(flat)
        strength = np.where(finite, flat, 0).sum(axis=1, dtype=np.float64)
        strength /= np.maximum(finite.sum(axis=1), 1)
        return tuple(channels[place] for place in np.argsort(-strength, kind="stable")[:most])


def _figures(values: NDArray[np.float32]) -> dict[str, Any]:
    finite = values[np.isfinite(values)]
    return {
        "minimum": float(finite.min()) if finite.size else None,
        "maximum": float(finite.max()) if finite.size else None,
        "mean": float(finite.mean(dtype=np.float64)) if finite.size else None,
        "zero_share": float(np.mean(values == 0)),
        "non_finite": values.size - finite.size,
    }
