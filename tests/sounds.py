"""Sounds, and files that hold them."""

import io

import numpy as np
import soundfile

RATE_HZ = 8000
# How libsndfile calls each kind of file, and the samples in it.
KINDS = {
    "WAV": ("WAV", "FLOAT"),
    "FLAC": ("FLAC", "PCM_16"),
    "Vorbis": ("OGG", "VORBIS"),
    "Opus": ("OGG", "OPUS"),
    "MP3": ("MP3", "MPEG_LAYER_III"),
}


def tone(seconds: float, amplitude: float = 0.5, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Return a waveform (samples,) of 400 Hz."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    return (amplitude * np.sin(2 * np.pi * 400 * time)).astype(np.float32)


def stored(waveform: np.ndarray, rate_hz: int = RATE_HZ, kind: str = "WAV") -> bytes:
    """Return a file with the waveform (samples,) or (samples, channels)."""
    format, subtype = KINDS[kind]
    file = io.BytesIO()
    soundfile.write(file, waveform, rate_hz, format=format, subtype=subtype)
    return file.getvalue()
