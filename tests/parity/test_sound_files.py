"""A bundled model says the same of a recording, whatever file it comes in."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from tests.api.client import Client
from tests.sounds import KINDS, stored

SEVEN = Path(__file__).parents[2] / "docs" / "samples" / "seven.flac"
PATH = "/v1/models/spoken_digits/classify"


def heard(client: Client, file: bytes) -> tuple[str, float]:
    """Return the likeliest class and its probability."""
    first = client.post(PATH, content=file).json()["predictions"][0]
    return first["label"], first["probability"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_has_the_same_label(client: Client, kind: str) -> None:
    """Lossless files to the last digit, the others within what their coding takes away."""
    waveform, rate_hz = soundfile.read(SEVEN, dtype="float32")
    label, probability = heard(client, SEVEN.read_bytes())
    told, told_probability = heard(client, stored(waveform, rate_hz, kind))

    assert told == label == "7"
    lossless = kind in ("WAV", "FLAC")
    assert told_probability == pytest.approx(probability, abs=1e-6 if lossless else 0.1)


def test_rate_and_channels_change_nothing(client: Client) -> None:
    """44.1 kHz in stereo and 8 kHz in mono are the same recording."""
    waveform, rate_hz = soundfile.read(SEVEN, dtype="float32")
    wide = soxr.resample(waveform, rate_hz, 44_100)
    stereo = np.stack([wide * 1.5, wide * 0.5], axis=1)  # whose mean is the recording
    label, probability = heard(client, stored(waveform, rate_hz))
    told, told_probability = heard(client, stored(stereo, 44_100))

    assert rate_hz == 8_000
    assert told == label == "7"
    assert told_probability == pytest.approx(probability, abs=0.01)
