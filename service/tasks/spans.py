"""Masks of windows to spans of time: which class a recording is of, from when to when."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.contract.specs import AudioPreprocessing
from service.tasks.listen import Heard

Frames = NDArray[np.uint8]  # (frames,) class indices
Borders = NDArray[np.float64]
_ROUNDING = 1e-6  # of a sample


@dataclass(frozen=True)
class Spans:
    """A recording in spans of one class each, which follow each other without a gap.

    class_indices: (spans,). borders_s: (spans + 1,), from 0 to the recording's length.
    frame_s: what the model tells apart.
    """

    class_indices: Frames
    borders_s: Borders
    frame_s: float

    @property
    def duration_s(self) -> float:
        """Length of the recording."""
        return float(self.borders_s[-1])

    def seconds(self, classes: int) -> NDArray[np.float64]:
        """Return how long each class lasts in all, (classes,)."""
        lengths = np.diff(self.borders_s)
        return np.bincount(self.class_indices, lengths, classes).astype(np.float64)


def spans_of(heard: Heard, spec: AudioPreprocessing, min_seconds: float = 0.0) -> Spans:
    """Return the spans of a recording.

    heard: its outputs are the masks of all windows, (windows, frames) uint8.
    min_seconds: shorter spans are given to their neighbours, the shortest first.

    Frames follow each other across windows. The time of one is in the middle of what it sees: with
    s samples from frame to frame, the one of number i is of the samples from
    i * s + (window_samples - hop_samples) / 2 on; what lies before the first and behind the last
    goes to them.
    """
    step = spec.hop_samples // heard.outputs.shape[1]
    offset = (spec.window_samples - spec.hop_samples) / 2
    frames = heard.outputs.reshape(-1)[: frame_count(heard.samples, spec, step)]
    changes = np.flatnonzero(np.diff(frames)) + 1
    classes = frames[np.concatenate([[0], changes])]
    borders = np.concatenate([[0.0], changes * step + offset, [heard.samples]])
    for shortest in _rounds(min_seconds * spec.sample_rate_hz, step):
        classes, borders = _without_short(classes, borders, shortest)
    return Spans(classes, borders / spec.sample_rate_hz, step / spec.sample_rate_hz)


def frame_count(samples: int, spec: AudioPreprocessing, step: int) -> int:
    """Return how many frames are the recording's, with `step` samples from one to the next.

    The last window ends in silence that is not.
    """
    offset = (spec.window_samples - spec.hop_samples) / 2
    return max(1, math.ceil((samples - offset) / step))


def _rounds(shortest: float, step: int) -> list[float]:
    """Return the lengths up to the shortest that may stay, each twice the former.

    So clicks in a pause are gone before it is asked how long the pause is.
    """
    count = max(0, math.floor(math.log2(shortest / step)) + 1) if shortest > 0 else 0
    return [shortest / 2**number for number in reversed(range(count))]


def _without_short(classes: Frames, borders: Borders, shortest: float) -> tuple[Frames, Borders]:
    """Return the spans with those that are shorter given to the ones beside them.

    If all are, the class that lasts longest gets everything.
    """
    lengths = np.diff(borders)
    kept = lengths >= shortest - _ROUNDING
    if kept.all():
        return classes, borders
    if not kept.any():
        longest = np.bincount(classes, lengths).argmax()
        return np.array([longest], np.uint8), borders[[0, -1]]
    classes, starts, ends = classes[kept], borders[:-1][kept], borders[1:][kept]
    middles = (ends[:-1] + starts[1:]) / 2  # of what lies between two that are kept
    changes = np.flatnonzero(np.diff(classes))
    inner = middles[changes]
    return (
        classes[np.concatenate([[0], changes + 1])],
        np.concatenate([borders[:1], inner, borders[-1:]]),
    )
