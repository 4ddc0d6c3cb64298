from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.contract.specs import AudioPreprocessing
from service.tasks.listen import Heard
from service.tasks.spans import Spans, spans_of

# Four frames a window, 10 samples apart, each of which sees 16.
SPEC = AudioPreprocessing(sample_rate_hz=1000, window_samples=46, hop_samples=40, tail="zeros")
MASKS = st.lists(st.lists(st.integers(0, 2), min_size=4, max_size=4), min_size=1, max_size=30)


def heard_of(masks: list[list[int]], samples: int) -> Heard:
    """Return what a segmenter said, window by window, of a sound of so many samples."""
    return Heard(
        starts=np.arange(len(masks)) * SPEC.hop_samples,
        samples=samples,
        given=np.ones(len(masks), np.bool_),
        outputs=np.array(masks, np.uint8),
    )


def spans(masks: list[list[int]], samples: int, min_seconds: float = 0) -> Spans:
    return spans_of(heard_of(masks, samples), SPEC, min_seconds)


def told(found: Spans) -> list[tuple[int, float, float]]:
    """Return class, start and end of each span in samples."""
    borders = (found.borders_s * SPEC.sample_rate_hz).tolist()
    return [*zip(found.class_indices.tolist(), borders, borders[1:], strict=False)]


def test_frames_are_in_the_middle_of_what_they_see() -> None:
    """Frame i begins at 10 i + 3: it sees 16 samples from 10 i on, and its own ten are amid them.

    Frames go on from window to window as if there were one, and the ends go to the outer ones.
    """
    found = spans([[0, 0, 1, 1], [1, 0, 0, 0]], samples=86)
    assert told(found) == [(0, 0, 23), (1, 23, 53), (0, 53, 86)]
    assert found.frame_s == 0.01
    assert found.duration_s == 0.086


def test_silence_behind_the_sound_is_not_told() -> None:
    """Frames that begin behind the sound's end are of the zeros that fill its last window."""
    assert told(spans([[0, 0, 0, 0], [0, 1, 1, 1]], samples=53)) == [(0, 0, 53)]
    assert told(spans([[0, 0, 0, 0], [0, 1, 1, 1]], samples=54)) == [(0, 0, 53), (1, 53, 54)]


def test_sound_shorter_than_a_frame_has_a_span() -> None:
    """One sample is of the first frame's class."""
    assert told(spans([[2, 0, 0, 0]], samples=1)) == [(2, 0, 1)]


def test_seconds_add_up() -> None:
    """The time of each class is that of its spans."""
    found = spans([[0, 0, 1, 1], [1, 0, 0, 0]], samples=86)
    assert found.seconds(3).tolist() == pytest.approx([0.056, 0.03, 0])


@pytest.mark.parametrize(
    ("masks", "expected"),
    [
        # a click in a pause, and a pause in a sound, are nothing
        ([[0, 0, 0, 1], [0, 0, 0, 0]], [(0, 0, 86)]),
        # at the ends there is one neighbour
        ([[1, 0, 0, 0], [0, 0, 0, 1]], [(0, 0, 86)]),
        # between two others, each has half of it
        ([[0, 0, 0, 1], [2, 2, 2, 2]], [(0, 0, 38), (2, 38, 86)]),
        # the click goes first, and what is left of the pause is long enough
        ([[1, 1, 1, 0], [1, 0, 1, 1]], [(1, 0, 86)]),
        ([[0, 0, 1, 0], [0, 2, 2, 2]], [(0, 0, 53), (2, 53, 86)]),
        # none is long enough: the class that lasts longest
        ([[0, 0, 1, 1], [2, 2, 1, 1]], [(1, 0, 86)]),
    ],
)
def test_short_spans_go_to_their_neighbours(
    masks: list[list[int]], expected: list[tuple[int, float, float]]
) -> None:
    """Spans of less than 30 ms are dropped, shortest first."""
    assert told(spans(masks, 86, min_seconds=0.03)) == expected


@given(masks=MASKS, missing=st.integers(0, 45), min_frames=st.integers(0, 12))
def test_spans_cover_the_sound_in_turn(
    masks: list[list[int]], missing: int, min_frames: int
) -> None:
    """From its beginning to its end, none of one class with the next, none too short."""
    samples = len(masks) * SPEC.hop_samples + 6 - missing
    found = told(spans(masks, samples, min_frames * 0.01))
    assert found[0][1] == 0
    assert found[-1][2] == pytest.approx(samples)
    for one, other in pairwise(found):
        assert one[0] != other[0]
        assert one[2] == other[1]
    assert len(found) == 1 or all(end - start >= min_frames * 10 - 1e-6 for _, start, end in found)


@given(masks=MASKS, shift=st.integers(1, 4))
def test_shifted_sound_has_shifted_spans(masks: list[list[int]], shift: int) -> None:
    """Frames that come later by a number of steps move every border by as much."""
    frames = [frame for mask in masks for frame in mask]
    later = [frames[0]] * shift + frames + [frames[-1]] * (4 - shift)
    moved = [later[first : first + 4] for first in range(0, len(later), 4)]
    samples = len(frames) * 10 + 6
    inner = [border for _, _, border in told(spans(masks, samples))[:-1]]
    after = [border for _, _, border in told(spans(moved, samples + 10 * shift))[:-1]]
    assert after == pytest.approx([border + 10 * shift for border in inner])
