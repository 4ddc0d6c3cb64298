"""Model outputs to answers."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Prediction(NamedTuple):
    """A class and its probability in 0..1."""

    label: str
    class_index: int
    probability: float


def top_predictions(
    probabilities: NDArray[np.floating], labels: tuple[str, ...], top_k: int
) -> list[Prediction]:
    """Return the `top_k` likeliest classes, likeliest first; ties go to the lower index.

    probabilities: (classes,) in 0..1.
    labels: one text a class.
    top_k: from 1 on; more than there are classes gives all of them.

    >>> top_predictions(np.array([0.2, 0.5, 0.3]), ("ant", "bee", "cat"), top_k=2)
    [Prediction(label='bee', class_index=1, probability=0.5), \
Prediction(label='cat', class_index=2, probability=0.3)]
    """
    order = (-probabilities).argsort(kind="stable")[:top_k]
    found = zip(order.tolist(), probabilities[order].tolist(), strict=True)
    return [Prediction(labels[index], index, probability) for index, probability in found]


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return probabilities (..., classes) from logits (..., classes)."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


def median_over_windows(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the values (K,) of a whole sound from its windows' (N, K), each for itself.

    The median, since one window that is wrong by an octave must not move the rest; of an even
    number the lower of the two in the middle, since what lies between two answers may be none at
    all. Leave out windows that are not `audible`; one must be left.

    >>> median_over_windows(np.array([[80.0], [160.0], [81.0], [161.0]])).tolist()
    [81.0]
    """
    median: NDArray[np.floating] = np.sort(values, axis=0)[(len(values) - 1) // 2]
    return median


def mean_over_windows(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the probabilities (classes,) of a whole sound from its windows' logits (N, classes).

    They are the softmax of the mean of the logits, so that a window that is sure counts for more
    than one that is not. Leave out windows that are not `audible`; one must be left.

    >>> mean_over_windows(np.log([[0.8, 0.2], [0.5, 0.5], [0.8, 0.2]])).round(3).tolist()
    [0.716, 0.284]
    """
    return softmax(logits.mean(axis=0, dtype=np.float64))
