"""Draws rhythms of known tempo: drums and a bass, more or less well played, in more or less noise.

Nothing of it was recorded. What is tested with has other patterns and other instruments than what
is learnt from, and nothing but the rules of playing in common with it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.drums import Kit, MakeKit, Random, acoustic_kit, electronic_kit
from training.data.grooves import Groove, draw_learnt_groove, draw_tested_groove
from training.data.measured import MeasuredSounds
from training.data.sounds import Sounds, Waveform

RHYTHMS = "rhythms"
LOWEST_BPM, HIGHEST_BPM = 60.0, 200.0
SECONDS = (6.0, 12.0)  # shortest and longest
_STRESSED = 1.5  # how much louder than a plain stroke
_LARGEST_PEAK = 0.9


@dataclass(frozen=True)
class Style:
    """What a split is drawn from."""

    groove: Callable[[Random], Groove]
    kit: MakeKit


@dataclass(frozen=True)
class Playing:
    """How a groove is played.

    first_s: time of the first step of the first bar; from there it goes on to the end.
    swing: how late every second half of a beat comes, as a share of the beat; 1/6 is a triplet's.
    jitter_s: standard deviation of the strokes' times.
    missing: probability that a stroke is left out.
    """

    tempo_bpm: float
    first_s: float = 0.0
    swing: float = 0.0
    jitter_s: float = 0.0
    missing: float = 0.0


def step_times(groove: Groove, playing: Playing, seconds: float) -> NDArray[np.float64]:
    """Return when the steps come, (steps,) in seconds from 0 on; jitter and omissions aside.

    Every `groove.steps`-th is a beat: the first, and then one every 60 / tempo_bpm seconds.

    >>> metronome, playing = Groove("x...", "....", "...."), Playing(tempo_bpm=120, swing=1 / 6)
    >>> step_times(metronome, playing, seconds=0.9).round(3).tolist()
    [0.0, 0.125, 0.333, 0.417, 0.5, 0.625, 0.833]
    """
    beat_s = 60 / playing.tempo_bpm
    count = int(np.ceil((seconds - playing.first_s) / beat_s)) * groove.steps
    steps = np.arange(count)
    late = np.zeros(count)
    if groove.steps == 4:
        # the third quarter begins the second half; the fourth is between that and the next beat
        place = steps % 4
        late = np.select([place == 2, place == 3], [playing.swing, playing.swing / 2])
    times = playing.first_s + (steps / groove.steps + late) * beat_s
    return times[times < seconds]


def play(
    groove: Groove,
    kit: Kit,
    playing: Playing,
    seconds: float,
    sample_rate_hz: int,
    random: Random,
) -> Waveform:
    """Return the waveform (samples,) of the drums, each stroke from the nearest sample on."""
    times = step_times(groove, playing, seconds)
    whole = np.zeros(round(seconds * sample_rate_hz), np.float32)
    for pattern, stroke in (
        (groove.low, kit.low),
        (groove.middle, kit.middle),
        (groove.high, kit.high),
    ):
        loudness = random.uniform(0.3, 1)
        for i, time in enumerate(times):
            sign = pattern[i % len(pattern)]
            if sign == "." or random.random() < playing.missing:
                continue
            gain = loudness * (_STRESSED if sign == "X" else 1) * random.uniform(0.7, 1)
            _add(whole, stroke * gain, time + random.normal(0, playing.jitter_s), sample_rate_hz)
    return whole


def draw_rhythm(random: Random, style: Style, sample_rate_hz: int) -> tuple[Waveform, float]:
    """Return a waveform (samples,) and its tempo in BPM, evenly spread on a logarithmic scale."""
    tempo = _draw_tempo(random)  # first, so that it can be known without drawing the rest
    seconds = random.uniform(*SECONDS)
    groove = style.groove(random)
    playing = Playing(
        tempo_bpm=tempo,
        first_s=-random.uniform(0, groove.beats * 60 / tempo),
        swing=random.uniform(0, 1 / 6) if random.random() < 0.3 else 0.0,
        jitter_s=random.uniform(0, 0.008),
        missing=random.uniform(0, 0.12),
    )
    kit = style.kit(random, sample_rate_hz)
    whole = play(groove, kit, playing, seconds, sample_rate_hz, random)
    if random.random() < 0.5:
        _accompany(whole, kit, groove, playing, seconds, sample_rate_hz, random)
    tilt = random.uniform(-0.9, 0.9)  # towards low or high, as rooms and loudspeakers do
    whole[1:] -= tilt * whole[:-1]
    noise = random.normal(0, 1, len(whole)) * 10 ** random.uniform(-3.5, -1.3)
    whole = whole / max(float(np.abs(whole).max()), 1e-6) + noise
    peak = _LARGEST_PEAK * 10 ** random.uniform(-1.2, 0)
    return (whole * (peak / np.abs(whole).max())).astype(np.float32), tempo


def load_rhythms(train: int = 7_200, validation: int = 200, test: int = 500) -> MeasuredSounds:
    """Return a drawn data set, always the same one; sounds are drawn when they are read."""
    learnt = Style(draw_learnt_groove, electronic_kit)
    tested = Style(draw_tested_groove, acoustic_kit)
    splits = {
        "train": _drawn(learnt, train, seed=1),
        "validation": _drawn(learnt, validation, seed=2),
        "test": _drawn(tested, test, seed=3),
    }
    return MeasuredSounds(RHYTHMS, ("tempo",), splits, units=("BPM",))


def _drawn(style: Style, count: int, seed: int) -> Sounds:
    def stream(i: int) -> Random:
        return np.random.default_rng([seed, i])

    def read(i: int, sample_rate_hz: int) -> Waveform:
        return draw_rhythm(stream(i), style, sample_rate_hz)[0]

    tempi = np.array([_draw_tempo(stream(i)) for i in range(count)])
    return Sounds(read, tempi, [f"{RHYTHMS}[{seed}:{i}]" for i in range(count)])


def _draw_tempo(random: Random) -> float:
    return float(np.exp(random.uniform(np.log(LOWEST_BPM), np.log(HIGHEST_BPM))))


def _accompany(
    whole: Waveform,
    kit: Kit,
    groove: Groove,
    playing: Playing,
    seconds: float,
    sample_rate_hz: int,
    random: Random,
) -> None:
    """Add notes on every beat, every half beat or with the lowest drum, of one pitch a bar."""
    times = step_times(groove, playing, seconds)
    halves = max(1, groove.steps // 2) if groove.steps == 4 else 1
    every = int(random.choice([groove.steps, halves, 0]))
    pitches = [
        _at_speed(kit.note, 2 ** (semitones / 12)) for semitones in random.integers(-5, 8, 4)
    ]
    loudness = random.uniform(0.2, 0.8)
    for i, time in enumerate(times):
        plays = groove.low[i % len(groove.low)] != "." if every == 0 else i % every == 0
        if plays and random.random() >= playing.missing:
            pitch = pitches[i // len(groove.low) % 4]
            _add(whole, pitch * loudness, time, sample_rate_hz)


def _at_speed(stroke: Waveform, speed: float) -> Waveform:
    places = np.arange(0, len(stroke) - 1, speed)
    return np.interp(places, np.arange(len(stroke)), stroke).astype(np.float32)


def _add(whole: Waveform, stroke: Waveform, time_s: float, sample_rate_hz: int) -> None:
    start = round(time_s * sample_rate_hz)
    first, end = max(start, 0), min(start + len(stroke), len(whole))
    if first < end:
        whole[first:end] += stroke[first - start : end - start]
