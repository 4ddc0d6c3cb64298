"""A small data set of metronomes, and a recipe that learns their tempo at once."""

import csv
from pathlib import Path

import numpy as np
import soundfile

from training.data.drums import electronic_kit
from training.data.grooves import Groove
from training.data.rhythms import Playing, play

RATE_HZ = 4000
_NOTHING = "." * 16
_METRONOME = Groove("x...x...x...x...", _NOTHING, _NOTHING)


def write_beats(folder: Path, count: int = 60, head: str = "tempo [BPM]") -> Path:
    """Write `folder/N.wav`, metronomes of 60 to 200 BPM, and metadata.csv; return the folder.

    A quarter of them is test.
    """
    folder.mkdir(parents=True)
    rows = []
    for i in range(count):
        random = np.random.default_rng(i)
        tempo = 60 * (200 / 60) ** ((i + 0.5) / count)
        playing = Playing(tempo, first_s=random.uniform(0, 0.5))
        kit = electronic_kit(random, RATE_HZ)
        wave = play(_METRONOME, kit, playing, random.uniform(4, 7), RATE_HZ, random)
        soundfile.write(folder / f"{i}.wav", wave / 2, RATE_HZ)
        rows.append([f"{i}.wav", "test" if i % 4 == 0 else "train", f"{tempo:.3f}"])
    with (folder / "metadata.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["file", "split", head], *rows])
    return folder


RECIPE = """
name = "beats"
task = "audio-regression"
description = "How fast a metronome beats."
license = "CC0-1.0"

[data]
source = "rhythms"
sample_rate_hz = 4000
window_s = 4.0
hop_s = 2.0
tail = "zeros"
validation_share = 0.2

[net]
kind = "tempogram"

[net.options]
sample_rate_hz = 4000
window_s = 4.0
log_mel = { mels = 8, frame_samples = 256, hop_samples = 80 }
strokes = 4
curves = 4
widths = [12]
dropout = 0.1

[augment]
gain_db = 6
polarity = true
noise = 0.001

[training]
epochs = 10
passes = 2
batch_size = 8
learning_rate = 0.1
ema_decay = 0.8
precision = "fp32"
"""
