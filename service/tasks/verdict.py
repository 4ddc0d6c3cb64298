"""What a classifier says of a sound: as a whole, window by window, and over time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import InvalidAudio
from service.contract.postprocess import mean_over_windows, softmax
from service.contract.specs import AudioPreprocessing
from service.tasks.listen import Heard
from service.tasks.stretches import runs_of

Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class Stretch:
    """A time for which one class stays the likeliest.

    probabilities: (classes,), None where the sound is silent.
    """

    start_s: float
    end_s: float
    probabilities: Probabilities | None


class Verdict:
    """The answer to one sound.

    duration_s: length of the sound. times_s: (windows, 2), where each begins and ends.
    probabilities: (windows, classes); of a silent one nothing is said, and these are zero.
    silent: (windows,).
    """

    def __init__(self, heard: Heard, spec: AudioPreprocessing) -> None:
        """Raises: InvalidAudio if every window is silent."""
        if not heard.given.any():
            raise InvalidAudio("The sound is silent throughout: there is nothing to classify.")
        self.duration_s = heard.samples / spec.sample_rate_hz
        self.times_s = heard.times_s(spec)
        self.silent = ~heard.given
        self._logits = np.zeros((len(heard.starts), heard.outputs.shape[1]))
        self._logits[heard.given] = heard.outputs
        self.probabilities = np.where(self.silent[:, None], 0.0, softmax(self._logits))

    def whole(self) -> Probabilities:
        """Return the probabilities (classes,) of the whole, in which silence has no part."""
        return mean_over_windows(self._logits[~self.silent])

    def logits(self) -> NDArray[np.float64]:
        """Return the logits (classes,) of the whole, of which `whole` is the softmax."""
        mean: NDArray[np.float64] = self._logits[~self.silent].mean(axis=0)
        return mean

    def stretches(self) -> list[Stretch]:
        """Return neighbouring windows of one likeliest class as one; they cover the sound."""
        likeliest = np.where(self.silent, -1, self.probabilities.argmax(axis=1)).tolist()
        return [
            Stretch(run.start_s, run.end_s, self._mean(run.first, run.end))
            for run in runs_of(likeliest, self.times_s, self.duration_s)
        ]

    def _mean(self, first: int, end: int) -> Probabilities | None:
        return None if self.silent[first] else mean_over_windows(self._logits[first:end])
