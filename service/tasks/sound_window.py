"""One window of a sound, wherever it is asked for: what feature maps are made of."""

from dataclasses import dataclass, field

import numpy as np

from service.codecs.sound import Sound, SoundLimits, open_sound
from service.contract.errors import InvalidParameter
from service.contract.specs import AudioPreprocessing
from service.contract.windows import Waveform, cut_windows


@dataclass(frozen=True)
class SoundWindow:
    """A model input that was cut out of a sound.

    waveform: (window_samples,) float32.
    start: number of its first sample, at the model's rate.
    heard: how many of its samples are the sound's; a repetition or silence fills the rest.
    """

    waveform: Waveform = field(repr=False)
    start: int
    heard: int


def window_at(
    data: bytes, start_s: float, spec: AudioPreprocessing, limits: SoundLimits
) -> SoundWindow:
    """Return the window that begins there, cut as all windows of a sound are.

    start_s: seconds into the sound. Where the window would pass the end, `align` takes the one
        that ends where the sound does, and `zeros` lets silence follow.
    No more of the sound is decoded than lies before the window's end.
    Raises: InvalidParameter if the sound does not last so long; what decoding a sound raises.
    """
    sound = open_sound(data, limits)
    start = round(start_s * spec.sample_rate_hz)
    if sound.duration_s is not None and start_s > sound.duration_s:
        raise _too_late(start_s, sound.duration_s)
    held, first, whole = _read(sound, start, spec)
    end = first + len(held)
    if whole and start >= end:
        raise _too_late(start_s, end / spec.sample_rate_hz)
    if spec.tail == "align":
        start = max(0, min(start, end - spec.window_samples))
    own = held[start - first :][: spec.window_samples]
    _, waveform = next(cut_windows([own], spec))
    return SoundWindow(waveform, start, len(own))


def _read(sound: Sound, start: int, spec: AudioPreprocessing) -> tuple[Waveform, int, bool]:
    """Return what lies around the window, where that begins, and whether the sound is over."""
    held, first = np.empty(0, np.float32), 0
    for block in sound.blocks(spec.sample_rate_hz):
        held = np.concatenate([held, block])
        end = first + len(held)
        if end >= start + spec.window_samples:
            return held, first, False
        kept = max(first, min(start, end - spec.window_samples))
        held, first = held[kept - first :], kept
    return held, first, True


def _too_late(start_s: float, duration_s: float) -> InvalidParameter:
    return InvalidParameter(
        f"start_s={start_s:g}: the sound lasts {duration_s:,.2f} s, so no window begins there."
    )
