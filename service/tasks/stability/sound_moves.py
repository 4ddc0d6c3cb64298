"""How a window of a sound is moved: in time, in loudness and in speed."""

import numpy as np
from numpy.typing import NDArray

from service.codecs.sound_resample import Resampler
from service.contract.windows import Waveform
from service.tasks.stability.moves import Sweep, Transform, not_offered
from service.tasks.stability.warp import Source, at_rest, mirrored

_SHIFT_STEPS = 8
_MOST_SHIFT_MS = 80
_SHIFT_SHARE = 4
_DECIBELS = tuple(map(float, range(-24, 13, 3)))
_SPEEDS = tuple(percent / 100 for percent in range(80, 121, 5))


class SoundMoves:
    """The moves of one window. waveform: (samples,) float32, the model's input."""

    transforms: tuple[Transform, ...] = ("shift", "gain", "speed")
    noun = "sounds"

    def __init__(self, waveform: Waveform, sample_rate_hz: int) -> None:
        self.rest = waveform
        self._rate_hz = sample_rate_hz

    def sweeps(self, transform: Transform) -> list[Sweep]:
        """Return how far it is moved. Raises: InvalidParameter if sounds are not moved so."""
        if transform == "shift":
            window_ms = 1000 * len(self.rest) / self._rate_hz
            step = min(_MOST_SHIFT_MS, window_ms / _SHIFT_SHARE) / _SHIFT_STEPS
            steps = range(-_SHIFT_STEPS, _SHIFT_STEPS + 1)
            return [Sweep("shift", None, "ms", tuple(round(n * step, 3) for n in steps), 0.0)]
        if transform == "gain":
            return [Sweep("gain", None, "dB", _DECIBELS, 0.0)]
        if transform == "speed":
            return [Sweep("speed", None, "factor", _SPEEDS, 1.0)]
        raise not_offered(transform, self.noun, self.transforms)

    def source(self, sweep: Sweep, amount: float) -> Source:
        """Return where each sample of the moved window comes from, (1, samples).

        A positive shift is to later; a speed above 1 makes the sound shorter and higher.
        """
        rest = at_rest(self.rest.shape)
        if sweep.transform == "shift":
            return rest - round(amount * self._rate_hz / 1000)
        if sweep.transform == "speed":
            middle = (len(self.rest) - 1) / 2
            return np.asarray(middle + (rest - middle) * amount)
        return rest

    def moved(self, sweep: Sweep, amount: float) -> Waveform:
        """Return the moved window; louder than full scale is not cut off."""
        if sweep.transform == "gain":
            return self.rest * np.float32(10 ** (amount / 20))
        if sweep.transform == "speed":
            return _centred(_resampled(self.rest, amount), len(self.rest))
        (places,) = self.source(sweep, amount).astype(np.intp)
        return self.rest[mirrored(places, len(self.rest))]


def _resampled(waveform: Waveform, speed: float) -> Waveform:
    """Return the waveform in 1 / `speed` of its samples, band-limited."""
    resampler = Resampler(round(100 * speed), 100)
    return np.concatenate([resampler.push(waveform), resampler.finish()])


def _centred(waveform: Waveform, samples: int) -> NDArray[np.float32]:
    """Return so many samples around the middle, mirrored where there are none."""
    places = np.arange(samples) + (len(waveform) - samples) // 2
    return waveform[mirrored(places, len(waveform))]
