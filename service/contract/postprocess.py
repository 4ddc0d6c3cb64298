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
