"""What is sent to the bundled models: pictures of about the size that each was made for."""

import functools
import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageOps

from bench.chaos.server import ROOT

_SAMPLES = ROOT / "docs" / "samples"
_GRAIN = 12.0  # grey levels, standard deviation: flat pictures would be too easy to decode


@functools.cache
def pictures() -> Mapping[str, Sequence[bytes]]:
    """Return encoded pictures by the name of the model that they are for."""
    cat = (_SAMPLES / "cat.jpg").read_bytes()
    small = [_cut(cat, 32, 32, seed, form) for seed, form in enumerate(["PNG", "JPEG"] * 6)]
    return {
        "cifar10": [*small, cat],
        "digits": [_gray(_cut(cat, 28, 28, seed, "PNG")) for seed in range(4)],
        "flowers": [cat, _cut(cat, 320, 240, 0, "JPEG"), _cut(cat, 320, 240, 1, "WEBP")],
        "xo": [(_SAMPLES / "x.png").read_bytes()],
    }


def _cut(file: bytes, width: int, height: int, seed: int, form: str) -> bytes:
    """Return another part of the picture for every seed, with grain."""
    dice = np.random.default_rng(seed)
    with Image.open(io.BytesIO(file)) as picture:
        left, top = (int(dice.integers(0, side // 2)) for side in picture.size)
        part = picture.crop((left, top, left + picture.width // 2, top + picture.height // 2))
    fitted = ImageOps.fit(part.convert("RGB"), (width, height))
    pixels = np.asarray(fitted) + dice.normal(0, _GRAIN, (height, width, 3))
    return _encoded(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), form)


def _gray(file: bytes) -> bytes:
    with Image.open(io.BytesIO(file)) as picture:
        return _encoded(picture.convert("L"), "PNG")


def _encoded(picture: Image.Image, form: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form)
    return buffer.getvalue()
