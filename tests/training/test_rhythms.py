import numpy as np
import pytest

from training.data.drums import Kit, acoustic_kit, electronic_kit
from training.data.grooves import TESTED, Groove, draw_learnt_groove, draw_tested_groove
from training.data.rhythms import (
    HIGHEST_BPM,
    LOWEST_BPM,
    Playing,
    Style,
    draw_rhythm,
    load_rhythms,
    play,
    step_times,
)

RATE_HZ = 8000
SILENT = "................"
METRONOME = Groove("x...x...x...x...", SILENT, SILENT)
CLICK = np.ones(1, np.float32)
CLICKS = Kit(low=CLICK, middle=CLICK, high=CLICK, note=CLICK)


def clicks(groove: Groove, playing: Playing, seconds: float) -> np.ndarray:
    """Return the numbers of the samples on which a stroke begins."""
    random = np.random.default_rng(0)
    return np.flatnonzero(play(groove, CLICKS, playing, seconds, RATE_HZ, random))


@pytest.mark.parametrize("tempo_bpm", [60, 97.3, 120, 200])
def test_beats_come_on_the_sample_they_belong_to(tempo_bpm: float) -> None:
    """One every 60 / tempo seconds, from the first one to the end."""
    found = clicks(METRONOME, Playing(tempo_bpm, first_s=0.25), seconds=9)
    count = int((9 - 0.25) * tempo_bpm / 60 - 1e-9) + 1
    expected = np.rint((0.25 + np.arange(count) * 60 / tempo_bpm) * RATE_HZ)
    assert found.tolist() == expected.tolist()


def test_bar_is_played_as_it_is_written() -> None:
    """Every drum on its steps, bar after bar, from before the beginning on."""
    groove = Groove("x.......x.......", "....x.......x...", "x.x.x.x.x.x.x.x.")
    # a quarter of a second a step: the second bar begins at 2 s
    found = clicks(groove, Playing(tempo_bpm=60, first_s=-2), seconds=4)
    assert found.tolist() == [i * RATE_HZ // 2 for i in range(8)]


def test_swing_moves_second_halves_only() -> None:
    """By its share of a beat; beats stay where they are, and so do triplets."""
    eighths = Groove("x.x.x.x.x.x.x.x.", SILENT, SILENT)
    found = clicks(eighths, Playing(tempo_bpm=60, swing=0.125), seconds=3)
    assert (found / RATE_HZ).tolist() == [0, 0.625, 1, 1.625, 2, 2.625]
    triplets = Groove("xxxxxxxxxxxx", "............", "............", steps=3)
    times = step_times(triplets, Playing(tempo_bpm=60, swing=0.125), seconds=2)
    np.testing.assert_allclose(times, np.arange(6) / 3)


def test_missing_strokes_move_no_other() -> None:
    """What is left out leaves a gap; what is played is where it was."""
    whole = clicks(METRONOME, Playing(tempo_bpm=150), seconds=60)
    some = clicks(METRONOME, Playing(tempo_bpm=150, missing=0.5), seconds=60)
    assert set(some.tolist()) < set(whole.tolist())
    assert 0.3 < len(some) / len(whole) < 0.7


@pytest.mark.parametrize("make_kit", [electronic_kit, acoustic_kit])
@pytest.mark.parametrize("tempo_bpm", [72, 118, 190])
def test_what_is_heard_repeats_at_the_tempo(make_kit, tempo_bpm: float) -> None:
    """The loudness of a played metronome is most like itself one beat later."""
    random = np.random.default_rng(3)
    kit = make_kit(random, RATE_HZ)
    wave = play(METRONOME, kit, Playing(tempo_bpm), 12, RATE_HZ, random)
    frame = RATE_HZ // 100  # 10 ms
    energy = np.square(wave).reshape(-1, frame).sum(1)
    onsets = np.maximum(np.diff(np.log(energy + 1e-3)), 0)
    # at two beats it is as like itself, and nearer to a whole number of frames perhaps
    lags = np.arange(20, round(1.5 * 60 / tempo_bpm * 100))
    likeness = [float(onsets[lag:] @ onsets[:-lag]) for lag in lags]
    beat_s = lags[int(np.argmax(likeness))] / 100
    assert beat_s == pytest.approx(60 / tempo_bpm, abs=0.011)


@pytest.mark.parametrize("make_kit", [electronic_kit, acoustic_kit])
def test_strokes_are_whole(make_kit) -> None:
    """Finite, of a peak of one, and short enough for the fastest rhythm."""
    for seed in range(20):
        for stroke in make_kit(np.random.default_rng(seed), RATE_HZ):
            assert stroke.dtype == np.float32
            assert np.abs(stroke).max() == pytest.approx(1)
            assert len(stroke) < RATE_HZ


def test_no_bar_is_learnt_and_tested() -> None:
    """Whatever is drawn; and bars are as long as they say."""
    random = np.random.default_rng(0)
    learnt = {draw_learnt_groove(random) for _ in range(3000)}
    tested = {draw_tested_groove(random) for _ in range(300)}
    assert tested == set(TESTED)
    assert not learnt & tested
    for groove in learnt:
        playing = [drum for drum in groove[:3] if set(drum) != {"."}]
        assert len(playing) > 1 or "." not in groove.low[:: groove.steps]
    for groove in learnt | tested:
        assert len(groove.low) == len(groove.middle) == len(groove.high)
        assert len(groove.low) == groove.beats * groove.steps
        assert set("".join(groove[:3])) <= set("xX.")


def test_rhythms_are_always_the_same() -> None:
    """Read twice they are equal; no two of them are, nor are any two splits."""
    few = load_rhythms(train=5, validation=5, test=5)
    assert few.digest() == load_rhythms(train=5, validation=5, test=5).digest()
    assert (few.classes, few.units) == (("tempo",), ("BPM",))
    waves = [split.read(i, RATE_HZ) for split in few.splits.values() for i in range(5)]
    assert len({wave.tobytes() for wave in waves}) == 15
    again = load_rhythms(train=5, validation=5, test=5).splits["test"]
    assert again.read(3, RATE_HZ).tobytes() == few.splits["test"].read(3, RATE_HZ).tobytes()


def test_labels_are_the_tempi_that_are_played() -> None:
    """Told without drawing anything, within their limits, evenly spread over octaves."""
    seen = []

    def note(random: np.random.Generator) -> Groove:
        seen.append(random)
        return METRONOME

    wave, tempo = draw_rhythm(np.random.default_rng([3, 1]), Style(note, electronic_kit), RATE_HZ)
    assert len(seen) == 1
    assert np.abs(wave).max() <= 0.9 + 1e-6
    labels = load_rhythms(train=1, validation=1, test=500).splits["test"].labels
    assert labels[1] == tempo
    assert LOWEST_BPM <= labels.min() < 63
    assert 190 < labels.max() <= HIGHEST_BPM
    assert np.median(labels) == pytest.approx(np.sqrt(LOWEST_BPM * HIGHEST_BPM), rel=0.06)
