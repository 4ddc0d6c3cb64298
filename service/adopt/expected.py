"""What a composed graph must give, worked out in NumPy from what the original gave."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.adopt.epilogue import LEAST
from service.adopt.head import Head
from service.contract.postprocess import softmax

Arrays = dict[str, NDArray[Any]]


def expected_classes(head: Head, values: NDArray[Any]) -> Arrays:
    """Return probabilities and logits (N, classes) for the head's values (N, ...)."""
    given = values.astype(np.float64).reshape(len(values), -1)
    if not head.single and head.gives == "logits":
        return {"probabilities": softmax(given), "logits": given}
    probabilities = _two(head, given) if head.single else given
    return {"probabilities": probabilities, "logits": np.log(np.maximum(probabilities, LEAST))}


def expected_maps(head: Head, values: NDArray[Any], size: tuple[int, int]) -> Arrays:
    """Return mask (N, H, W) and probabilities (N, classes, H, W) for the head's values."""
    if head.axis is None:
        mask = values.reshape(len(values), *head.sides)
        one_hot = mask[:, None] == np.arange(head.classes)[:, None, None]
        return {"mask": mask.astype(np.uint8), "probabilities": one_hot.astype(np.float64)}
    given = np.moveaxis(values.astype(np.float64), head.axis, 1)
    given = _enlarged(_enlarged(given, 2, size[0]), 3, size[1])
    if head.single:
        probabilities = _two(head, given)
    elif head.gives == "logits":
        probabilities = np.moveaxis(softmax(np.moveaxis(given, 1, -1)), -1, 1)
    else:
        probabilities = given
    mask = probabilities.argmax(1).astype(np.uint8)
    return {"mask": mask, "probabilities": probabilities}


def _two(head: Head, given: NDArray[np.float64]) -> NDArray[np.float64]:
    second = 1 / (1 + np.exp(-given)) if head.gives == "logits" else given
    return np.concatenate([1 - second, second], 1)


def _enlarged(values: NDArray[np.float64], axis: int, size: int) -> NDArray[np.float64]:
    """Return the values interpolated along the axis, measured between the cells' centres.

    >>> _enlarged(np.array([[[0.0, 4.0]]]), 2, 4).tolist()
    [[[0.0, 1.0, 3.0, 4.0]]]
    """
    own = values.shape[axis]
    if own == size:
        return values
    places = np.clip((np.arange(size) + 0.5) * own / size - 0.5, 0, own - 1)
    below = np.floor(places).astype(int)
    above = np.minimum(below + 1, own - 1)
    share = (places - below).reshape([-1 if i == axis else 1 for i in range(values.ndim)])
    found: NDArray[np.float64] = (
        values.take(below, axis) * (1 - share) + values.take(above, axis) * share
    )
    return found
