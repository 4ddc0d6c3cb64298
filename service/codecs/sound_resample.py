"""Another sample rate for a waveform that comes in blocks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Waveform = NDArray[np.float32]


class Resampler:
    """Resample block by block, band-limited, as if the blocks were one.

    By soxr at its quality HQ, which lets pass what is below 0.91 of the new Nyquist frequency.
    Where the rates agree, samples pass unchanged.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._from_hz, self._to_hz = from_hz, to_hz
        self._taken = self._given = 0
        self._stream = None if from_hz == to_hz else _stream(from_hz, to_hz)

    def push(self, block: Waveform) -> Waveform:
        """Return what can be told from this block (samples,) and those before; maybe nothing."""
        self._taken += len(block)
        return self._counted(self._stream.resample_chunk(block) if self._stream else block)

    def finish(self) -> Waveform:
        """Return the rest, so that there are `resampled_length` samples in all."""
        none = np.empty(0, np.float32)
        rest = self._stream.resample_chunk(none, last=True) if self._stream else none
        missing = resampled_length(self._taken, self._from_hz, self._to_hz) - self._given
        # soxr counts the same way, but in floating point; trim or pad what differs
        return self._counted(np.pad(rest[:missing], (0, max(missing - len(rest), 0))))

    def _counted(self, block: Waveform) -> Waveform:
        self._given += len(block)
        return block


def resampled_length(samples: int, from_hz: int, to_hz: int) -> int:
    """Return how many samples there are at the new rate: to the nearest, halves up, one at least.

    >>> resampled_length(44_101, 44_100, 22_050)
    22051
    """
    nearest = (2 * samples * to_hz + from_hz) // (2 * from_hz)
    return max(nearest, min(samples, 1))


def _stream(from_hz: int, to_hz: int) -> Any:
    import soxr  # type: ignore[import-untyped]  # here, since most servers hear nothing

    return soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="HQ")
