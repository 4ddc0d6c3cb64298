"""Masks of a picture, one a class, and how sure the model is of each."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.tasks.segment import Segmented


class Scored(NamedTuple):
    """A class that is in the picture.

    inside: (H, W) of the picture. score: mean probability of the class over these pixels, in 0..1.
    """

    class_index: int
    inside: NDArray[np.bool_]
    score: float


def scored_masks(
    segmented: Segmented, classes: int, least: float = 0.0, least_score: float = 0.0
) -> Iterator[Scored]:
    """Yield the classes that are in the picture, the one with most pixels first.

    segmented: of a question for `certainty`. classes: how many the model knows.
    least: pixels whose class is less probable belong to none.
    least_score: classes with a lower score are left out.
    """
    found = np.empty(segmented.frame.picture, np.int16)
    pixels, sums = np.zeros(classes, np.int64), np.zeros(classes)
    for rows, mask, probability in segmented.likeliest():
        sure = probability >= least
        found[rows] = np.where(sure, mask, -1)
        pixels += np.bincount(mask[sure], minlength=classes)
        sums += np.bincount(mask[sure], probability[sure], minlength=classes)
    scores = sums / np.maximum(pixels, 1)
    for class_index in (-pixels).argsort(kind="stable").tolist():
        if pixels[class_index] and scores[class_index] >= least_score:
            yield Scored(class_index, found == class_index, float(scores[class_index]))
