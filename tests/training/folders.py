"""Small data sets of plain colours, which any net learns at once."""

from pathlib import Path

import numpy as np
from PIL import Image

COLORS = {"green": (40, 200, 60), "purple": (150, 40, 190), "yellow": (230, 210, 50)}


def write_colors(folder: Path, each: int = 12, size: int = 24) -> Path:
    """Write `folder/COLOR/N.png`, noisy pictures of one colour a class; return the folder."""
    random = np.random.default_rng(0)
    for name, color in COLORS.items():
        (folder / name).mkdir(parents=True)
        for i in range(each):
            noisy = np.array(color) + random.integers(-30, 30, (size, size + 8, 3))
            pixels = noisy.clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


RECIPE = """
name = "tiny"
description = "Which colour a picture has."
license = "CC0-1.0"

[data]
resize = "shortest_side_center_crop"
size = 16
validation_share = 0.2
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]

[net]
kind = "resnet"
options = { widths = [8, 16], depths = [1, 1], dropout = 0.1 }

[augment]
flip = true
translate_px = 2
cutout_px = 4
crop_scale = [0.6, 1.0]
jitter = 0.1
mixup = 0.2

[training]
epochs = 4
batch_size = 8
learning_rate = 0.05
label_smoothing = 0.1
ema_decay = 0.9
patience = 10
precision = "fp32"
"""
