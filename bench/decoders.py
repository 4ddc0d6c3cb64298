"""How fast JPEGs are decoded and resized, by what, and how far the pixels are from ours.

    python -m bench.decoders [--rounds 5] [--seconds 1]

One thread; the methods take turns, and medians of the rounds are printed as a Markdown table.
Every method makes a 224 px model input. Decoders that are not installed are left out: `pip
install opencv-python-headless simplejpeg` brings them (both hold libjpeg-turbo, as Pillow does).
"""

import argparse
import io
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from statistics import median

import numpy as np
from PIL import Image

from bench.serving.machine import describe_machine
from bench.serving.pictures import photo_jpeg
from service.codecs.image import ImageLimits, decode_image
from service.contract.preprocess import Pixels, preprocess_image
from service.contract.specs import ImagePreprocessing

with suppress(ImportError):
    import cv2

    cv2.setNumThreads(1)
with suppress(ImportError):
    import simplejpeg

SIDE = 224
_PACKAGES = ("pillow", "numpy", "opencv-python-headless", "simplejpeg")
SIZES = {"640x480": (640, 480), "12 megapixels": (4000, 3000)}
_SPEC = ImagePreprocessing(
    color="rgb",
    resize="shortest_side_center_crop",
    height=SIDE,
    width=SIDE,
    mean=(0, 0, 0),
    std=(1, 1, 1),
)


@dataclass(frozen=True)
class Method:
    """A way from a JPEG to a model input. package: what it needs."""

    name: str
    package: str
    run: Callable[[bytes], Pixels]


def pillow(data: bytes) -> Pixels:
    """Do what the service does: every pixel is decoded, then resized with antialiasing."""
    return preprocess_image(decode_image(data, ImageLimits()), _SPEC)


def pillow_draft(data: bytes, margin: int) -> Pixels:
    """Let the decoder shrink by 2, 4 or 8 while it decodes, to `margin` targets at least."""
    with Image.open(io.BytesIO(data)) as image:
        least = margin * SIDE / min(image.size)
        image.draft("RGB", (round(image.width * least), round(image.height * least)))
        return preprocess_image(np.asarray(image.convert("RGB")), _SPEC)


def opencv(data: bytes) -> Pixels:
    """Decode with OpenCV, resize as the service does."""
    return preprocess_image(_opencv_decode(data, 1), _SPEC)


def opencv_all(data: bytes) -> Pixels:
    """Decode and resize with OpenCV; INTER_AREA is its antialiasing filter."""
    return _opencv_resize(_opencv_decode(data, 1))


def opencv_reduced(data: bytes, margin: int) -> Pixels:
    """Shrink while decoding, as `pillow_draft`, and resize with OpenCV."""
    with Image.open(io.BytesIO(data)) as image:  # reads no more than the size
        room = min(image.size) / (margin * SIDE)
    factor = max((factor for factor in (1, 2, 4, 8) if factor <= room), default=1)
    return _opencv_resize(_opencv_decode(data, factor))


def turbo(data: bytes) -> Pixels:
    """Decode with simplejpeg, resize as the service does."""
    return preprocess_image(simplejpeg.decode_jpeg(data), _SPEC)


def turbo_reduced(data: bytes, margin: int) -> Pixels:
    """Shrink while decoding, as `pillow_draft`; libjpeg-turbo knows every eighth."""
    least = margin * SIDE
    decoded = simplejpeg.decode_jpeg(data, min_height=least, min_width=least)
    return preprocess_image(decoded, _SPEC)


METHODS = (
    Method("Pillow (the service)", "PIL", pillow),
    Method("Pillow, draft to twice the target", "PIL", partial(pillow_draft, margin=2)),
    Method("Pillow, draft to the target", "PIL", partial(pillow_draft, margin=1)),
    Method("OpenCV, Pillow's resize", "cv2", opencv),
    Method("OpenCV, its INTER_AREA", "cv2", opencv_all),
    Method("OpenCV, reduced to twice the target", "cv2", partial(opencv_reduced, margin=2)),
    Method("simplejpeg, Pillow's resize", "simplejpeg", turbo),
    Method(
        "simplejpeg, reduced to twice the target",
        "simplejpeg",
        partial(turbo_reduced, margin=2),
    ),
)


def main() -> None:
    """Measure every method on every picture and print the table."""
    options = _options()
    methods = [method for method in METHODS if find_spec(method.package)]
    for method in METHODS:
        if method not in methods:
            print(f"{method.name} is skipped: {method.package} is missing", file=sys.stderr)
    pictures = {name: photo_jpeg(*size) for name, size in SIZES.items()}
    print(f"{describe_machine(_PACKAGES)}\n")
    head = ["decoder and resize"]
    rows = [[method.name] for method in methods]
    for name, data in pictures.items():
        kilobytes = len(data) / 1000
        head += [f"{name} ({kilobytes:.0f} kB), a CPU second", "ratio", "largest", "mean"]
        for row, cells in zip(rows, _column(methods, data, options), strict=True):
            row += cells
    for line in [head, ["---"] * len(head), *rows]:
        print(f"| {' | '.join(line)} |")
    print(
        "\nLargest and mean: difference of the input's values from the service's, in grey levels."
    )


def _column(methods: list[Method], data: bytes, options: argparse.Namespace) -> list[list[str]]:
    """Return speed, ratio to the first method, largest and mean difference, by method."""
    speeds: list[list[float]] = [[] for _ in methods]
    for _ in range(options.rounds):
        for method, speed in zip(methods, speeds, strict=True):
            speed.append(_per_cpu_second(method, data, options.seconds))
    expected = methods[0].run(data).astype(int)
    cells = []
    for method, speed in zip(methods, speeds, strict=True):
        ratio = median(ours / first for ours, first in zip(speed, speeds[0], strict=True))
        difference = np.abs(method.run(data).astype(int) - expected)
        cells.append(
            [
                f"{median(speed):.1f}",
                f"{ratio:.2f}",
                f"{difference.max()}",
                f"{difference.mean():.2f}",
            ]
        )
    return cells


def _per_cpu_second(method: Method, data: bytes, seconds: float) -> float:
    """Return pictures a second of processor time, which other processes disturb less."""
    method.run(data)
    count, begin = 0, time.process_time()
    while (elapsed := time.process_time() - begin) < seconds:
        method.run(data)
        count += 1
    return count / elapsed


def _opencv_decode(data: bytes, factor: int) -> Pixels:
    """Return (H, W, 3) RGB, each side divided by the factor: 1, 2, 4 or 8."""
    how = cv2.IMREAD_COLOR if factor == 1 else getattr(cv2, f"IMREAD_REDUCED_COLOR_{factor}")
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), how)
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def _opencv_resize(pixels: Pixels) -> Pixels:
    """Return the middle square, resized."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[top : top + side, left : left + side]
    return cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.decoders", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1, help="of each measurement")
    return parser.parse_args()


if __name__ == "__main__":
    main()
