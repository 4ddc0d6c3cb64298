"""What is explained: the score of a class, of the whole input or of places in it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import InvalidParameter

Scores = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Target:
    """A class, and the places whose scores count.

    places: (places,) bool, of all that a model tells classes of, row by row; one of a classifier.
    probability: of the class, the mean over the places.
    """

    class_index: int
    places: NDArray[np.bool_] = field(repr=False)
    probability: float

    @property
    def is_nowhere(self) -> bool:
        """Whether no place counts, because the model finds the class in none."""
        return not self.places.any()

    def of(self, scores: Scores) -> NDArray[np.float64]:
        """Return the score of each item, (N,): the mean over the places.

        scores: (N, classes, ...).
        """
        own = scores.reshape(*scores.shape[:2], -1)[:, self.class_index, :]
        mean: NDArray[np.float64] = own[:, self.places].mean(axis=1, dtype=np.float64)
        return mean


def choose_target(
    probabilities: Scores,
    class_index: int | None,
    place: tuple[int, ...] | None = None,
    own: tuple[slice, ...] = (),
) -> Target:
    """Return what is to be explained.

    probabilities: (classes, ...) of one item.
    class_index: None for the likeliest: of a segmenter, the class at the place or, without one,
        that of most places.
    place: the only one that counts; None for all at which the class is the likeliest.
    own: where the picture itself lies; what is behind it is padding.
    Raises: InvalidParameter if there is no such class.
    """
    classes = len(probabilities)
    if class_index is not None and class_index >= classes:
        raise InvalidParameter(
            f"class_index={class_index}: the model knows the classes 0 to {classes - 1}."
        )
    inside = np.zeros(probabilities.shape[1:], np.bool_)
    inside[place if place is not None else own] = True
    likeliest = probabilities.argmax(axis=0)
    if class_index is None:
        class_index = int(np.bincount(likeliest[inside], minlength=classes).argmax())
    if place is None and inside.ndim:
        inside &= likeliest == class_index
    places = inside.reshape(-1)
    found = probabilities[class_index].reshape(-1)[places]
    return Target(class_index, places, float(found.mean()) if found.size else 0.0)
