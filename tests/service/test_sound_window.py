import io

import numpy as np
import pytest
import soundfile

from service.codecs.sound import SoundLimits, decode_sound
from service.contract.errors import InvalidAudio, InvalidParameter
from service.contract.specs import AudioPreprocessing
from service.contract.windows import windows_of
from service.tasks.sound_window import window_at
from tests.sound_graphs import RATE_HZ as RATE
from tests.sound_graphs import noise, wav

LIMITS = SoundLimits()


def spec(tail: str, window: int = 4000) -> AudioPreprocessing:
    return AudioPreprocessing.model_validate(
        {"sample_rate_hz": RATE, "window_samples": window, "hop_samples": 1000, "tail": tail}
    )


@pytest.mark.parametrize("tail", ["align", "zeros"])
@pytest.mark.parametrize("samples", [40_500, 4000, 4001, 1500, 1])
def test_window_is_the_one_that_classify_cuts(tail: str, samples: int) -> None:
    """Asked for the start of any window that there is, it gives that very window."""
    waveform, how = noise(samples), spec(tail)
    starts, windows = windows_of(waveform, how)
    for start, window in zip(starts, windows, strict=True):
        found = window_at(wav(waveform), start / RATE, how, LIMITS)
        assert found.start == start
        np.testing.assert_array_equal(found.waveform, window)


def test_window_lies_where_it_is_asked_for() -> None:
    """Any sample may be the first, not only those at multiples of the hop."""
    waveform = noise(40_000)
    found = window_at(wav(waveform), 1.234, spec("align"), LIMITS)
    assert (found.start, found.heard) == (9872, 4000)
    np.testing.assert_array_equal(found.waveform, waveform[9872:13_872])


def test_window_past_the_end_is_moved_or_filled() -> None:
    """Aligned, it ends where the sound does; with zeros it stays, and silence follows."""
    waveform = noise(10_000)
    moved = window_at(wav(waveform), 1.0, spec("align"), LIMITS)
    stays = window_at(wav(waveform), 1.0, spec("zeros"), LIMITS)
    assert (moved.start, moved.heard) == (6000, 4000)
    np.testing.assert_array_equal(moved.waveform, waveform[6000:])
    assert (stays.start, stays.heard) == (8000, 2000)
    np.testing.assert_array_equal(stays.waveform, np.pad(waveform[8000:], (0, 2000)))


def test_sound_of_another_rate_is_resampled_as_a_whole() -> None:
    """The window holds what the whole sound has there, not what a piece of it would give."""
    waveform = noise(60_000)
    data = wav(waveform, 22_050)
    whole = decode_sound(data, RATE, LIMITS)
    found = window_at(data, 1.5, spec("align"), LIMITS)
    np.testing.assert_array_equal(found.waveform, whole[12_000:16_000])


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG", "MP3"])
@pytest.mark.parametrize("start_s", [2.0, 2.001, 3.0, 80_000.0])
def test_start_beyond_the_end_is_refused(format: str, start_s: float) -> None:
    """The message tells how long the sound is."""
    file = io.BytesIO()
    soundfile.write(file, noise(2 * RATE), RATE, format=format)
    with pytest.raises(InvalidParameter, match=r"start_s=.*lasts 2\.0\d s") as caught:
        window_at(file.getvalue(), start_s + 0.1 * (format == "MP3"), spec("zeros"), LIMITS)
    assert "no window begins there" in str(caught.value)


def test_no_more_is_decoded_than_is_needed() -> None:
    """What is broken behind the window does not matter to it."""
    waveform = noise(40 * RATE)
    waveform[-1] = np.nan
    found = window_at(wav(waveform), 1.0, spec("align"), LIMITS)
    assert np.isfinite(found.waveform).all()
    with pytest.raises(InvalidAudio):
        window_at(wav(waveform), 39.9, spec("align"), LIMITS)
