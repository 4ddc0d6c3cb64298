"""Small data sets of tones, which any net learns at once."""

import csv
from pathlib import Path

import numpy as np
import soundfile

TONES_HZ = {"high": 1500.0, "low": 250.0, "middle": 600.0}
RATE_HZ = 4000


def write_tone(
    file: Path, hertz: float, seconds: float, seed: int = 0, rate_hz: int = RATE_HZ
) -> None:
    """Write a noisy tone of random phase and loudness, mono 16 bit."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    tone = np.sin(2 * np.pi * (hertz * time + random.uniform())) * random.uniform(0.2, 0.8)
    noise = random.normal(0, 0.02, len(time))
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, tone + noise, rate_hz)


def write_tones(folder: Path, each: int = 12, suffix: str = "wav", rate_hz: int = RATE_HZ) -> Path:
    """Write `folder/TONE/N.wav`, of 0.2 to 0.9 s; return the folder."""
    for kind, (label, hertz) in enumerate(TONES_HZ.items()):
        for i in range(each):
            seconds = 0.2 + 0.7 * i / each
            file = folder / label / f"{i}.{suffix}"
            write_tone(file, hertz, seconds, seed=kind * 1000 + i, rate_hz=rate_hz)
    return folder


def write_table(folder: Path, each: int = 12) -> Path:
    """Write tones with a metadata.csv: split, fold (0 or 1), band_group; return the folder.

    A third of each class is test and a sixth validation; the last one is excluded. Groups are
    of three, and never in two folds.
    """
    write_tones(folder / "audio", each)
    rows = []
    for label in TONES_HZ:
        for i in range(each):
            split = "test" if i % 3 == 0 else "val" if i % 6 == 1 else "train"
            split = "excluded" if i == each - 1 else split
            group = f"{label}-{i // 3}"
            rows.append([f"audio/{label}/{i}.wav", split, (i // 3) % 2, group])
    with (folder / "metadata.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["file", "split", "fold", "band_group"], *rows])
    return folder


RECIPE = """
name = "tones"
task = "audio-classification"
description = "Which tone is heard."
license = "CC0-1.0"

[data]
sample_rate_hz = 4000
window_s = 0.3
hop_s = 0.15
validation_share = 0.2

[net]
kind = "spectrogram"

[net.options]
sample_rate_hz = 4000
log_mel = { mels = 16, frame_samples = 256, hop_samples = 64 }
resnet = { widths = [8, 16], depths = [1, 1], dropout = 0.1 }

[augment]
speed = 0.05
gain_db = 6
polarity = true
noise = 0.01
mixup = 0.2
masks = 1

[training]
epochs = 8
passes = 2
batch_size = 8
learning_rate = 0.05
label_smoothing = 0.05
ema_decay = 0.8
patience = 20
precision = "fp32"
"""
WAVE_NET = """[net]
kind = "waveform"
options = { widths = [8, 16], depths = [1, 1], kernel = 32, stride = 4, pool = 4 }

"""
WAVE_RECIPE = RECIPE[: RECIPE.index("[net]")] + WAVE_NET + RECIPE[RECIPE.index("[augment]") :]
