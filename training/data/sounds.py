"""A split of a data set of sounds: decoded waveforms with labels."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.contract.specs import AudioPreprocessing
from service.contract.windows import windows_of

Waveform = NDArray[np.float32]  # (samples,), mono


@dataclass(frozen=True)
class Sounds:
    """Labelled sounds that are decoded when asked for.

    read: decodes sound i at a rate in hertz to a mono waveform, as `decode_sound` does.
    labels: (N,) int64 class indices, or float64 values of what is to be measured.
    names: what sound i is called inside the data set.
    groups: what sound i has in common with others that a model must not be tested on once it
        has heard one of them, such as the artist; None where nothing is known of that.
    """

    read: Callable[[int, int], Waveform]
    labels: NDArray[np.int64] | NDArray[np.float64]
    names: Sequence[str]
    groups: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, indices: NDArray[np.int64]) -> "Sounds":
        """Return the sounds at `indices`, in that order."""

        def read(i: int, sample_rate_hz: int) -> Waveform:
            return self.read(int(indices[i]), sample_rate_hz)

        groups = None if self.groups is None else [self.groups[i] for i in indices]
        return Sounds(read, self.labels[indices], [self.names[i] for i in indices], groups)

    def waveforms(self, sample_rate_hz: int) -> Iterator[Waveform]:
        """Yield every sound at the rate, in order, decoded by several threads."""
        with ThreadPoolExecutor(4) as pool:
            yield from pool.map(lambda i: self.read(i, sample_rate_hz), range(len(self)))

    def model_inputs(self, spec: AudioPreprocessing) -> Waveform:
        """Return the windows of all sounds one after the other, (windows, window_samples)."""
        found = [windows_of(waveform, spec)[1] for waveform in self.waveforms(spec.sample_rate_hz)]
        return np.concatenate(found)
