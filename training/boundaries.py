"""How well a segmenter follows outlines: the boundary F-score."""

from math import hypot

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.warp import VOID

TOLERANCE = 0.0075  # of the image's diagonal, as in the paper
Mask = NDArray[np.uint8]  # (H, W) class indices, VOID where the truth is unknown


def boundary_f_score(truth: Mask, predicted: Mask) -> float | None:
    """Return the mean over the classes of the boundary F-score, in 0..1.

    truth, predicted: of one image; where the truth is VOID, so is taken the prediction.
    A class's boundary is its pixels that have a pixel of another class, void not among them,
    above, below, on the left or on the right. Precision is the share of the predicted boundary
    that lies no further than 0.75 % of the image's diagonal from the true one, recall the
    other way round; F is their harmonic mean, 0 if there is but one boundary of the two.
    Classes count that have a boundary in the truth or in the prediction; None if none has.
    Source: Csurka, Larlus & Perronnin, BMVC 2013, section 4.
    """
    predicted = np.where(truth == VOID, np.uint8(VOID), predicted)
    reach = TOLERANCE * hypot(*truth.shape)
    edges = [_between_classes(mask) for mask in (truth, predicted)]
    scores = []
    for class_index in np.union1d(truth[edges[0]], predicted[edges[1]]):
        true_edge = edges[0] & (truth == class_index)
        said_edge = edges[1] & (predicted == class_index)
        precision = _share_near(said_edge, true_edge, reach)
        recall = _share_near(true_edge, said_edge, reach)
        total = precision + recall
        scores.append(2 * precision * recall / total if total else 0.0)
    return float(np.mean(scores)) if scores else None


def _between_classes(mask: Mask) -> NDArray[np.bool_]:
    """Return which pixels have a neighbour of another class; neither of the two is void."""
    edge = np.zeros(mask.shape, np.bool_)
    for one, other in (
        (np.s_[:-1, :], np.s_[1:, :]),
        (np.s_[:, :-1], np.s_[:, 1:]),
    ):
        differ = (mask[one] != mask[other]) & (mask[one] != VOID) & (mask[other] != VOID)
        edge[one] |= differ
        edge[other] |= differ
    return edge


def _share_near(edge: NDArray[np.bool_], other: NDArray[np.bool_], reach: float) -> float:
    """Return which share of the pixels of `edge` lies within `reach` of one of `other`."""
    if not edge.any() or not other.any():
        return 0.0
    distances = cv2.distanceTransform((~other).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float(np.mean(distances[edge] <= reach))
