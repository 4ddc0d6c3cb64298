"""Drawn X and O pictures, 9 pixels a side: shifted, turned, scaled, thin and thick."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from training.data.pictures import DataSet, Pictures, already_decoded

SIZE = 9
CLASSES = ("O", "X")
_FINE = 16  # drawn this many times larger, then averaged down


def draw_stroke(label: str, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return one picture (9, 9, 3) uint8, white strokes on black.

    The figure is 5 to 8 pixels across, its strokes 0.8 to 2.2 pixels thick, turned by up to
    20 degrees and anywhere where it fits.
    """
    half = random.uniform(2.4, 4.0)
    aspect = random.uniform(0.85, 1.15)
    thickness = random.uniform(0.8, min(2.2, half * 0.6))
    angle = np.radians(random.uniform(-20, 20))
    slack = SIZE / 2 - half
    center = SIZE / 2 + random.uniform(-slack, slack, 2)
    points = _cross(half, aspect) if label == "X" else [_ring(half, aspect)]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    canvas = Image.new("L", (SIZE * _FINE, SIZE * _FINE))
    pen = ImageDraw.Draw(canvas)
    for line in points:
        path = ((line @ turn.T + center) * _FINE).ravel().tolist()
        pen.line(path, fill=255, width=max(1, round(thickness * _FINE)), joint="curve")
    small = np.asarray(canvas.resize((SIZE, SIZE), Image.Resampling.BOX), np.float64)
    if random.random() < 0.5:  # half of them as crisp as the published picture
        small = np.where(small > random.uniform(90, 140), 255, 0)
    return np.repeat(small.astype(np.uint8)[:, :, None], 3, axis=2)


def load_strokes(train: int = 20_000, test: int = 2_000) -> DataSet:
    """Return a drawn data set, always the same one.

    Nine pixels a side leave room for chance doubles among crisp drawings: none of the test
    pictures is among the training pictures.
    """
    shown = _draw(train, seed=1, unwanted=set())
    unseen = _draw(test, seed=2, unwanted={shown.read(i).tobytes() for i in range(train)})
    return DataSet("strokes", CLASSES, {"train": shown, "test": unseen})


def _draw(count: int, seed: int, unwanted: set[bytes]) -> Pictures:
    random = np.random.default_rng(seed)
    images: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    while len(images) < count:
        label = int(random.integers(len(CLASSES)))
        image = draw_stroke(CLASSES[label], random)
        if image.tobytes() not in unwanted:
            images.append(image)
            labels.append(label)
    names = [f"stroke[{seed}:{i}]" for i in range(count)]
    return Pictures(already_decoded(images.__getitem__), np.array(labels, np.int64), names)


def _cross(half: float, aspect: float) -> list[NDArray[np.float64]]:
    reach = np.array([half * 0.85, half * 0.85 * aspect])
    return [np.array([-reach, reach]), np.array([reach * (-1, 1), reach * (1, -1)])]


def _ring(half: float, aspect: float) -> NDArray[np.float64]:
    angles = np.linspace(0, 2 * np.pi, 33)
    return np.stack([np.cos(angles), np.sin(angles) * aspect], axis=1) * half * 0.85
