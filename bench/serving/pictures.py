"""Pictures to send, made from the cat in docs/samples: the same bytes on every machine and run."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

CAT = Path(__file__).parents[2] / "docs" / "samples" / "cat.jpg"
# Grey levels, standard deviation: makes a 640x480 JPEG of quality 90 about 100 KB, as cameras do.
_GRAIN = 5.0


def photo_jpeg(width: int, height: int) -> bytes:
    """Return a JPEG of quality 90 with the detail and the grain of a photograph."""
    grain = np.random.default_rng(0).normal(0, _GRAIN, (height, width, 1))
    pixels = np.asarray(_cat(width, height)) + grain  # (H, W, 3) float64
    picture = Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
    return _file(picture, format="JPEG", quality=90)


def small_png(side: int) -> bytes:
    """Return a square PNG, `side` pixels wide."""
    return _file(_cat(side, side), format="PNG")


def _cat(width: int, height: int) -> Image.Image:
    with Image.open(CAT) as cat:
        return ImageOps.fit(cat.convert("RGB"), (width, height), Image.Resampling.LANCZOS)


def _file(picture: Image.Image, **how: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, **how)  # type: ignore[arg-type]
    return buffer.getvalue()
