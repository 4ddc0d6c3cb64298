"""A waveform to the windows that are a model's inputs: the one implementation of that."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from service.contract.specs import AudioPreprocessing

Waveform = NDArray[np.float32]


def cut_windows(
    blocks: Iterable[Waveform], spec: AudioPreprocessing
) -> Iterator[tuple[int, Waveform]]:
    """Yield the first sample's number and the samples (window_samples,) of each window.

    blocks: a mono waveform at the model's rate in pieces of any length, in their order; no more
        of it is kept than a window and a piece.
    Every sample lies in a window. A waveform without samples has no windows.

    >>> spec = AudioPreprocessing(sample_rate_hz=8000, window_samples=16, hop_samples=12)
    >>> [start for start, _ in cut_windows([np.zeros(20, np.float32)], spec)]
    [0, 4]
    """
    window, hop = spec.window_samples, spec.hop_samples
    held, first = np.empty(0, np.float32), 0  # what may still be needed, and where it begins
    start = covered = 0  # of the next window; samples that lie in a window already
    for block in blocks:
        held = np.concatenate([held, block])
        end = first + len(held)
        while start + window <= end:
            yield start, held[start - first : start - first + window]
            start, covered = start + hop, start + window
        # an aligned last window may begin before the next one in the row
        kept = max(first, min(start, end - window))
        held, first = held[kept - first :], kept
    if first + len(held) > covered:
        yield _last(held, first, start, spec)


def _last(held: Waveform, first: int, start: int, spec: AudioPreprocessing) -> tuple[int, Waveform]:
    """Return the window in which the waveform ends."""
    window = spec.window_samples
    if spec.tail == "zeros":
        rest = held[start - first :]
        return start, np.pad(rest, (0, window - len(rest)))
    if len(held) < window:
        return first, np.resize(held, window)  # which repeats it
    return first + len(held) - window, held[-window:]


def windows_of(waveform: Waveform, spec: AudioPreprocessing) -> tuple[list[int], Waveform]:
    """Return the starts and the windows (N, window_samples) of a whole waveform (samples,)."""
    cut = list(cut_windows([waveform], spec))
    if not cut:
        return [], np.empty((0, spec.window_samples), np.float32)
    return [start for start, _ in cut], np.stack([window for _, window in cut])
