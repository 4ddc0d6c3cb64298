"""Something to send where nothing was given."""

import io
import random

from PIL import Image

SIZE_PX = (640, 480)


def sample_jpeg() -> bytes:
    """Return a JPEG of 640 x 480, always the same: soft shapes with grain, large as a photograph.

    Noise alone would cost a decoder far more than pictures do, and flat colour far less.
    """
    numbers = random.Random(0)
    shapes = _noise(numbers, 20, 15)
    grain = _noise(numbers, *SIZE_PX)
    buffer = io.BytesIO()
    Image.blend(shapes, grain, 0.1).save(buffer, format="JPEG", quality=85)
    return buffer.getvalue()


def _noise(numbers: random.Random, width: int, height: int) -> Image.Image:
    small = Image.frombytes("RGB", (width, height), numbers.randbytes(width * height * 3))
    return small.resize(SIZE_PX, Image.Resampling.BICUBIC)
