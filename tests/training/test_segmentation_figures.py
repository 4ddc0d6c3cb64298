"""Figures of masks, held against what comes out by hand."""

import numpy as np
import pytest

from training.boundaries import boundary_f_score
from training.data.warp import VOID
from training.intervals import bootstrap_interval
from training.segmentation_figures import (
    class_accuracies,
    class_ious,
    count_pixels,
    mean_iou,
)

TRUTH = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 2, 2]], np.uint8)


def test_iou_is_shared_pixels_of_all_that_are_or_were_said() -> None:
    """Two pixels of class 1 taken for class 0: 4 of 6, 2 of 4, 4 of 4."""
    said = TRUTH.copy()
    said[0, 2:] = 0
    confusion = count_pixels(TRUTH, said, 3)

    assert confusion.tolist() == [[4, 0, 0], [2, 2, 0], [0, 0, 4]]
    assert class_ious(confusion).tolist() == [4 / 6, 2 / 4, 1]
    assert class_accuracies(confusion).tolist() == [1, 0.5, 1]
    assert mean_iou(confusion) == pytest.approx((4 / 6 + 2 / 4 + 1) / 3)


def test_void_pixels_count_neither_for_nor_against() -> None:
    """Whatever is said where the truth is void, the counts are those of the other pixels."""
    truth, said = TRUTH.copy(), TRUTH.copy()
    truth[2] = VOID
    said[2] = 0
    confusion = count_pixels(truth, said, 3)

    assert confusion.sum() == 8
    assert mean_iou(confusion) == 1


def test_class_that_is_nowhere_is_left_out_of_the_mean() -> None:
    """A class without a true pixel has no IoU, but saying it where it is not costs the others."""
    truth = np.zeros((1, 4), np.uint8)
    confusion = count_pixels(truth, np.array([[0, 0, 0, 1]], np.uint8), 2)

    assert np.isnan(class_ious(confusion)[1])
    assert mean_iou(confusion) == 3 / 4


def test_interval_is_that_of_the_images() -> None:
    """It is the same every time, holds the figure, and narrows with more images of one kind."""
    good, bad = np.array([[90, 10], [10, 90]]), np.array([[60, 40], [40, 60]])
    few, many = np.array([good, bad] * 5), np.array([good, bad] * 80)
    low, high = bootstrap_interval(few, mean_iou)

    assert low < mean_iou(few.sum(0)) < high
    assert bootstrap_interval(few, mean_iou) == (low, high)
    narrow = bootstrap_interval(many, mean_iou)
    assert narrow[1] - narrow[0] < (high - low) / 3
    assert bootstrap_interval(np.array([good] * 4), mean_iou) == pytest.approx([90 / 110] * 2)


def halves(column: int, size: tuple[int, int] = (120, 160)) -> np.ndarray:
    """Return a mask whose class changes from 0 to 1 at that column; the diagonal is 200 pixels."""
    mask = np.zeros(size, np.uint8)
    mask[:, column:] = 1
    return mask


@pytest.mark.parametrize(("moved", "expected"), [(0, 1.0), (1, 1.0), (2, 0.0)])
def test_boundary_within_the_tolerance_is_found(moved: int, expected: float) -> None:
    """0.75 % of a diagonal of 200 is 1.5 pixels: an outline one pixel off is right, two is not."""
    assert boundary_f_score(halves(80), halves(80 + moved)) == expected


def test_boundary_score_is_the_harmonic_mean_of_both_shares() -> None:
    """An outline that is right in the upper 30 of 120 rows and far off below, by hand."""
    truth, said = halves(80), halves(120)
    said[:30] = halves(80)[:30]
    # Class 0 is said to end at column 79, at column 119 from row 30 on, and between the two along
    # row 30: 30 + 90 + 40 pixels, one of them twice. Of these (30, 80) too is near the true edge;
    # of the true edge, rows 30 and 31 are near it.
    precision, recall = 31 / 159, 32 / 120
    class_0 = 2 * precision * recall / (precision + recall)
    # Class 1 begins at column 80, at 120 from row 30 on, and between the two along row 29. Here
    # (29, 81) is near the true edge, and of that only row 30 is near what was said.
    precision, recall = 31 / 159, 31 / 120
    class_1 = 2 * precision * recall / (precision + recall)

    assert boundary_f_score(truth, said) == pytest.approx((class_0 + class_1) / 2)


def test_void_is_no_boundary() -> None:
    """Neither is its rim an outline, nor does it matter what was said inside."""
    truth, said = halves(80), halves(80)
    truth[:, 70:90] = VOID

    assert boundary_f_score(truth, said) is None
    truth[:10] = halves(80)[:10]
    assert boundary_f_score(truth, said) == 1.0


def test_class_that_only_one_of_the_two_has_scores_nothing() -> None:
    """An invented class takes its share of the mean."""
    truth, said = halves(80), halves(80)
    said[50:60, 20:30] = 2

    assert boundary_f_score(truth, halves(80)) == 1.0
    score = boundary_f_score(truth, said)
    assert score is not None
    assert 0.5 < score < 0.7  # of three classes one is wrong, and one is wrong in part
