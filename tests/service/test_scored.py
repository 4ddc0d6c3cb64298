import numpy as np
import pytest

from service.codecs.image import encode_png
from service.tasks.scored import scored_masks
from service.tasks.segment import Question, Segmented
from tests.service.test_segment import Net, quarters, segmenter_of


def hazy(height: int, width: int) -> np.ndarray:
    """Return a picture whose colours run into each other, so that classes are more or less sure."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, width, 3), np.uint8)


def asked(size: tuple[int, int], resize: str, **how: object) -> Segmented:
    question = Question(encode_png(hazy(*size)), certainty=True, **how)  # type: ignore[arg-type]
    return segmenter_of(Net(), resize).segment(question)


@pytest.mark.parametrize("resize", ["none", "same_area", "squash", "letterbox"])
@pytest.mark.parametrize("size", [(48, 64), (100, 70), (1, 5)])
def test_score_is_the_mean_probability_over_the_mask(resize: str, size: tuple[int, int]) -> None:
    """Masks are those of `restore`, and scores what whole maps of probabilities give."""
    segmented = asked(size, resize)
    mask = segmented.restore()
    found = list(scored_masks(segmented, 3))
    assert sorted(each.class_index for each in found) == np.unique(mask).tolist()
    for class_index, inside, score in found:
        np.testing.assert_array_equal(inside, mask == class_index)
        assert score == pytest.approx(segmented.probability(class_index)[inside].mean(), rel=1e-5)
    sizes = [each.inside.sum() for each in found]
    assert sizes == sorted(sizes, reverse=True)


def test_tiles_at_full_size_score_as_the_whole() -> None:
    """Of a picture in tiles no map of a class is kept, but how sure the likeliest is."""
    tiled = asked((150, 200), "same_area", tile=64, resolution="original")
    whole = asked((150, 200), "same_area", tile=0, resolution="original")
    assert not tiled.probabilities
    for ours, theirs in zip(scored_masks(tiled, 3), scored_masks(whole, 3), strict=True):
        assert ours.class_index == theirs.class_index
        assert ours.score == pytest.approx(theirs.score, rel=1e-5)
        np.testing.assert_array_equal(ours.inside, theirs.inside)


def test_unsure_pixels_are_in_no_mask() -> None:
    """`least` takes pixels out of the masks, and the scores are of those that stay."""
    segmented = asked((48, 64), "none")
    mask = segmented.restore()
    for class_index, inside, score in scored_masks(segmented, 3, least=0.9):
        probability = segmented.probability(class_index)
        np.testing.assert_array_equal(inside, (mask == class_index) & (probability >= 0.9))
        assert 0.9 <= score == pytest.approx(probability[inside].mean(), rel=1e-5)


def test_masks_of_a_low_score_are_left_out() -> None:
    """`least_score` leaves exactly those that reach it."""
    segmented = asked((48, 64), "none")
    scores = [found.score for found in scored_masks(segmented, 3)]
    border = sorted(scores)[1]
    kept = [found.score for found in scored_masks(segmented, 3, least_score=border)]
    assert kept == [score for score in scores if score >= border]
    assert len(kept) == 2


def test_classes_that_are_nowhere_have_no_mask() -> None:
    """Of three classes, two are in this picture."""
    data, _ = quarters(2, 2)
    segmented = segmenter_of(Net(), "none").segment(Question(data, certainty=True))
    assert [found.class_index for found in scored_masks(segmented, 3)] == [0, 1]
