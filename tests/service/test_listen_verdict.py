import numpy as np
import pytest

from service.contract.errors import InvalidAudio
from service.contract.postprocess import mean_over_windows, softmax
from service.contract.specs import AudioPreprocessing
from service.tasks.listen import Heard
from service.tasks.verdict import Verdict

SPEC = AudioPreprocessing(sample_rate_hz=1000, window_samples=1000, hop_samples=500)
# Of six windows, half a second apart; the fourth is silent.
LOGITS = np.float32([[4, 0], [2, 1], [0, 3], [0, 3], [1, 0]])
GIVEN = np.array([True, True, True, False, True, True])


def verdict(samples: int = 3500) -> Verdict:
    starts = np.array([0, 500, 1000, 1500, 2000, 2500])
    return Verdict(Heard(starts, samples, GIVEN, LOGITS), SPEC)


def test_silent_windows_have_no_part_in_the_whole() -> None:
    """The answer is that of the windows that could be heard."""
    np.testing.assert_allclose(verdict().whole(), mean_over_windows(LOGITS))
    found = verdict()
    assert found.silent.tolist() == [False, False, False, True, False, False]
    np.testing.assert_allclose(found.probabilities[~found.silent], softmax(LOGITS))


def test_windows_end_with_the_sound() -> None:
    """Times are in seconds, and none is behind the end."""
    found = verdict(samples=3400)
    assert found.duration_s == 3.4
    assert found.times_s[[0, -1]].tolist() == [[0, 1], [2.5, 3.4]]


def test_windows_of_one_class_are_one_stretch() -> None:
    """Borders are in the middle of what two windows share; silence is a stretch of its own."""
    found = verdict().stretches()
    assert [(stretch.start_s, stretch.end_s) for stretch in found] == [
        (0, 1.25),
        (1.25, 1.75),
        (1.75, 2.25),
        (2.25, 2.75),
        (2.75, 3.5),
    ]
    assert [None if s.probabilities is None else int(s.probabilities.argmax()) for s in found] == [
        0,
        1,
        None,
        1,
        0,
    ]
    assert found[0].probabilities is not None
    np.testing.assert_allclose(found[0].probabilities, mean_over_windows(LOGITS[:2]))


def test_one_window_is_one_stretch() -> None:
    """From the beginning to the end, with the probabilities of the whole."""
    alone = Verdict(Heard(np.array([0]), 300, np.array([True]), LOGITS[:1]), SPEC)
    (stretch,) = alone.stretches()
    assert (stretch.start_s, stretch.end_s) == (0, 0.3)
    assert stretch.probabilities is not None
    np.testing.assert_allclose(stretch.probabilities, alone.whole())


def test_nothing_but_silence_is_no_answer() -> None:
    """The error says so."""
    silent = Heard(np.array([0]), 300, np.array([False]), np.empty((0, 0), np.float32))
    with pytest.raises(InvalidAudio, match="silent throughout"):
        Verdict(silent, SPEC)
