"""Inputs to try a graph on: always the same ones."""

import numpy as np
from numpy.typing import NDArray

from service.contract.preprocess import Pixels

COUNT = 3


def sample_pictures(count: int, height: int, width: int, channels: int) -> Pixels:
    """Return pictures (count, height, width, channels) uint8: noise, then softer and softer."""
    random = np.random.default_rng(0)
    pictures = []
    for number in range(count):
        block = 2 ** (2 * number % 8)  # pixels of one colour, so that no two are alike
        rows, columns = -(-height // block), -(-width // block)
        coarse = random.integers(0, 256, (rows, columns, channels), np.uint8)
        fine = coarse.repeat(block, 0).repeat(block, 1)
        pictures.append(fine[:height, :width])
    return np.stack(pictures)


def sample_sounds(count: int, samples: int) -> NDArray[np.float32]:
    """Return waveforms (count, samples) in -1..1: tones in noise, each higher than the last."""
    random = np.random.default_rng(0)
    times = np.arange(samples) / samples
    tones = [np.sin(2 * np.pi * 20 * 3**number * times) for number in range(count)]
    noise = random.normal(0, 0.05, (count, samples))
    return (0.5 * np.stack(tones) + noise).astype(np.float32)
