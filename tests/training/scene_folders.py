"""Small segmentation data sets of coloured boxes, which any U-Net learns at once."""

from pathlib import Path

import numpy as np
from PIL import Image

COLORS = ((90, 140, 220), (200, 60, 40), (60, 190, 80))
VOID_ID = 9
CLASSES = "\n".join(
    [
        "id,name,r,g,b,ignore",
        "0,sky,90,140,220,0",
        "4,brick,200,60,40,0",
        "7,grass,60,190,80,0",
        "9,unknown,0,0,0,1",
    ]
)
IDS = np.array([0, 4, 7], np.uint8)


def write_scene(folder: Path, stem: str, seed: int, size: tuple[int, int] = (40, 56)) -> None:
    """Write `images/STEM.png` and `masks/STEM.png`: grass, brick boxes, and a void frame."""
    random = np.random.default_rng(seed)
    height, width = size
    mask = np.zeros(size, np.uint8)
    mask[height * 2 // 3 :] = 2
    for _ in range(2):
        top, left = random.integers(0, height - 14), random.integers(0, width - 16)
        mask[top : top + 14, left : left + 16] = 1
    noisy = np.array(COLORS)[mask] + random.integers(-20, 20, (*size, 3))
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / "images" / f"{stem}.png")
    ids = IDS[mask]
    ids[:, 0] = VOID_ID
    write_mask(folder / "masks" / f"{stem}.png", ids)


def write_mask(file: Path, ids: np.ndarray) -> None:
    """Write (H, W) uint8 ids as a palette PNG."""
    picture = Image.fromarray(ids).convert("P")
    picture.putdata(ids.ravel().tolist())
    picture.putpalette([value for i in range(256) for value in (i, 255 - i, 7 * i % 256)])
    picture.save(file)


def write_boxes(folder: Path, count: int = 14) -> Path:
    """Write a data set without splits; return its folder."""
    for i in range(count):
        write_scene(folder, f"scene{i}", seed=i)
    (folder / "classes.csv").write_text(CLASSES)
    return folder


RECIPE = """
name = "boxes"
task = "image-segmentation"
description = "Where the bricks are."
license = "CC0-1.0"

[data]
resize = "same_area"
height = 40
width = 56
multiple = 8
validation_share = 0.2
mean = [0.4, 0.5, 0.5]
std = [0.25, 0.25, 0.25]

[net]
kind = "unet"

[net.options]
encoder = "resnet"
encoder_options = { widths = [8, 12, 16], depths = [1, 1, 1], stem_stride = 2 }
decoder_widths = [8, 8, 12]
dropout = 0.1

[augment]
flip = true
crop = [32, 48]
zoom = [0.7, 1.4]
rotate_degrees = 10
jitter = 0.2
hue_degrees = 10
gamma = 1.2
blur = 0.3
noise = 0.02

[loss]
rare_class_power = 0.5
dice = 0.5

[training]
epochs = 4
batch_size = 4
learning_rate = 0.05
label_smoothing = 0.05
ema_decay = 0.9
patience = 10
precision = "fp32"
"""
