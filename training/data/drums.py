"""Two drum kits that share no way of making a sound: one to learn from, one to be tested with.

A kit is drawn anew for every rhythm. Each voice is one stroke, (samples,) float32 with a peak of 1.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Stroke = NDArray[np.float32]
Random = np.random.Generator


class Kit(NamedTuple):
    """What plays a rhythm: drums from low to high, and a pitched instrument."""

    low: Stroke
    middle: Stroke
    high: Stroke
    note: Stroke


MakeKit = Callable[[Random, int], Kit]


def electronic_kit(random: Random, sample_rate_hz: int) -> Kit:
    """Return sines that fall or beep, noise that fades, and a chord of sawtooth-like tones.

    Now and then the drums change places, so that no place in a bar belongs to one kind of sound.
    """
    drums = [
        _swept_sine(random, sample_rate_hz),
        _noise_and_tone(random, sample_rate_hz),
        _hiss(random, sample_rate_hz),
    ]
    if random.random() < 0.3:
        drums[int(random.integers(3))] = _beep(random, sample_rate_hz)
    order = random.permutation(3) if random.random() < 0.3 else range(3)
    low, middle, high = (drums[i] for i in order)
    return Kit(low, middle, high, note=_organ(random, sample_rate_hz))


def acoustic_kit(random: Random, sample_rate_hz: int) -> Kit:
    """Return membranes and wood that ring, hands that clap, metal, and a plucked string."""
    claps = random.random() < 0.5
    return Kit(
        low=_membrane(random, sample_rate_hz),
        middle=(_clap if claps else _wood)(random, sample_rate_hz),
        high=_metal(random, sample_rate_hz),
        note=_string(random, sample_rate_hz),
    )


def _swept_sine(random: Random, rate: int) -> Stroke:
    decay_s, fall_s = random.uniform(0.05, 0.15), random.uniform(0.01, 0.05)
    time = _time(4 * decay_s, rate)
    lowest, range_hz = random.uniform(40, 80), random.uniform(50, 250)
    # the integral of a pitch that falls by range_hz
    turns = lowest * time + range_hz * fall_s * (1 - np.exp(-time / fall_s))
    return _level(np.sin(2 * np.pi * turns) * np.exp(-time / decay_s))


def _noise_and_tone(random: Random, rate: int) -> Stroke:
    decay_s = random.uniform(0.02, 0.08)
    time = _time(5 * decay_s, rate)
    tone = np.sin(2 * np.pi * random.uniform(150, 400) * time) * random.uniform(0, 1)
    return _level((random.normal(0, 1, len(time)) + tone) * np.exp(-time / decay_s))


def _hiss(random: Random, rate: int) -> Stroke:
    decay_s = random.uniform(0.008, 0.05)
    time = _time(5 * decay_s, rate)
    noise = np.diff(random.normal(0, 1, len(time) + 2), 2)  # twice: what is low is gone
    return _level(noise * np.exp(-time / decay_s))


def _beep(random: Random, rate: int) -> Stroke:
    decay_s = random.uniform(0.01, 0.1)
    time = _time(5 * decay_s, rate)
    base_hz, depth = random.uniform(200, 2000), random.uniform(0, 4)
    bend = depth * np.sin(2 * np.pi * base_hz * random.uniform(0.5, 2) * time)
    return _level(np.sin(2 * np.pi * base_hz * time + bend) * np.exp(-time / decay_s))


def _organ(random: Random, rate: int) -> Stroke:
    time = _time(random.uniform(0.15, 0.5), rate)
    base_hz = random.uniform(60, 250)
    chord = random.choice([(1.0,), (1, 1.25, 1.5), (1, 1.2, 1.5)][int(random.integers(3))], 3)
    wave = sum(
        np.sin(2 * np.pi * base_hz * ratio * n * time) / n for ratio in chord for n in range(1, 7)
    )
    rise = np.minimum(1, time / random.uniform(0.002, 0.02))
    return _level(wave * rise * np.minimum(1, (time[-1] - time) / 0.02))


def _membrane(random: Random, rate: int) -> Stroke:
    decay_s, base_hz = random.uniform(0.08, 0.2), random.uniform(50, 110)
    time = _time(3 * decay_s, rate)
    # the first modes of a circular membrane, zeros of Bessel functions over the first one
    modes = [(ratio, 1 / (1 + i)) for i, ratio in enumerate((1.0, 1.594, 2.136, 2.296))]
    wave = sum(
        share * np.sin(2 * np.pi * base_hz * ratio * time) * np.exp(-time * ratio / decay_s)
        for ratio, share in modes
    )
    thud = random.normal(0, random.uniform(0.2, 1), len(time)) * np.exp(-time / 0.004)
    return _level(wave + thud)


def _clap(random: Random, rate: int) -> Stroke:
    decay_s = random.uniform(0.03, 0.09)
    time = _time(4 * decay_s + 0.03, rate)
    apart_s = random.uniform(0.007, 0.012)
    hands = sum(
        np.where(
            time >= i * apart_s, np.exp(-(time - i * apart_s) / (0.004 if i < 2 else decay_s)), 0
        )
        for i in range(3)
    )
    return _level(random.normal(0, 1, len(time)) * hands)


def _wood(random: Random, rate: int) -> Stroke:
    decay_s, base_hz = random.uniform(0.01, 0.03), random.uniform(500, 1200)
    time = _time(6 * decay_s, rate)
    # the modes of a bar that is free at both ends
    wave = sum(np.sin(2 * np.pi * base_hz * ratio * time) / ratio for ratio in (1.0, 2.756))
    return _level(wave * np.exp(-time / decay_s))


def _metal(random: Random, rate: int) -> Stroke:
    decay_s = random.uniform(0.015, 0.08)
    time = _time(5 * decay_s, rate)
    tones = random.uniform(1500, rate * 0.49, 6)
    wave = sum(np.sign(np.sin(2 * np.pi * hertz * time)) for hertz in tones)
    return _level(wave * np.exp(-time / decay_s))


def _string(random: Random, rate: int) -> Stroke:
    """Return a plucked string (K. Karplus & A. Strong, Computer Music Journal, 1983)."""
    period = round(rate / random.uniform(60, 250))
    turn, turns = random.uniform(-1, 1, period), []
    for _ in range(round(random.uniform(0.2, 0.5) * rate / period)):
        turns.append(turn)
        turn = (turn + np.roll(turn, 1)) / 2
    wave = np.concatenate(turns)
    return _level(wave * np.minimum(1, np.arange(len(wave), 0, -1) / (0.02 * rate)))


def _time(seconds: float, rate: int) -> NDArray[np.float64]:
    return np.arange(round(seconds * rate)) / rate


def _level(wave: NDArray[np.floating]) -> Stroke:
    return (wave / np.abs(wave).max()).astype(np.float32)
