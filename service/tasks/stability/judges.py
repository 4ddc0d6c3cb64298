"""What becomes of an answer when its input is moved."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import InvalidParameter
from service.tasks.stability.moves import Sweep
from service.tasks.stability.warp import Source, carried

# (N, ...) inputs -> (N, classes) in 0..1
RunClasses = Callable[[NDArray[Any]], NDArray[np.floating]]


class Mask(NamedTuple):
    """The class of every pixel or frame (...), and the probabilities (classes, ...) if told."""

    classes: NDArray[np.uint8]
    probabilities: NDArray[np.floating] | None


RunMasks = Callable[[NDArray[Any]], Sequence[Mask]]
# How it is moved and how far, and how many pixels or frames a mask has -> where they come from
SourceOf = Callable[[Sweep, float, tuple[int, ...]], Source]


class Said(NamedTuple):
    """The answer to one input.

    probability: of the class that is followed, None if it cannot be told.
    class_index: the likeliest class, or the one of most pixels or frames.
    agrees: whether the likeliest class is the same as at rest; of masks, the share that is.
    """

    probability: float | None
    class_index: int
    agrees: bool | float


class Judge(Protocol):
    """Runs inputs, and compares what is said of moved ones with what was said at rest.

    followed: the class that is followed; known when the input at rest was run.
    """

    followed: int

    def rest(self, inputs: NDArray[Any], asked: int | None) -> Said:
        """Run the input at rest (1, ...). asked: the class to follow, None for the likeliest.

        Raises: InvalidParameter if that class cannot be followed.
        """

    def run(self, inputs: NDArray[Any]) -> Sequence[Any]:
        """Return what `compare` needs of each of the inputs."""

    def compare(self, output: Any, sweep: Sweep, amount: float) -> Said:
        """Return what was said of an input that was moved so."""


class ClassJudge:
    """Of whole inputs. labels: one a class."""

    def __init__(self, run: RunClasses, labels: tuple[str, ...]) -> None:
        self._run = run
        self.followed = self._likeliest = 0
        self._labels = labels

    def rest(self, inputs: NDArray[Any], asked: int | None) -> Said:
        """Run the input at rest. Raises: InvalidParameter if there is no such class."""
        check_class(asked, self._labels)
        (output,) = self._run(inputs)
        self._likeliest = int(output.argmax())
        self.followed = self._likeliest if asked is None else asked
        return Said(_number(output[self.followed]), self._likeliest, True)

    def run(self, inputs: NDArray[Any]) -> Sequence[NDArray[np.floating]]:
        """Return the probabilities (classes,) of each of the inputs."""
        return list(self._run(inputs))

    def compare(self, output: NDArray[np.floating], sweep: Sweep, amount: float) -> Said:
        """Return what was said of an input, however it was moved."""
        likeliest = int(output.argmax())
        return Said(_number(output[self.followed]), likeliest, likeliest == self._likeliest)


class MaskJudge:
    """Of pixels or frames, each compared with the one that it was before it moved.

    source: says where those of a moved input come from.
    The class that is followed is so on those that were of it at rest.
    """

    def __init__(self, run: RunMasks, labels: tuple[str, ...], source: SourceOf) -> None:
        self._run = run
        self.followed = 0
        self._labels = labels
        self._source = source
        self._rest: NDArray[np.uint8] = np.empty(0, np.uint8)

    def rest(self, inputs: NDArray[Any], asked: int | None) -> Said:
        """Run the input at rest. Raises: InvalidParameter if nothing is of the class."""
        check_class(asked, self._labels)
        (mask,) = self._run(inputs)
        self._rest = mask.classes
        largest = _largest(mask.classes)
        self.followed = largest if asked is None else asked
        own = mask.classes == self.followed
        if not own.any():
            there = ", ".join(f"{i} ({self._labels[i]})" for i in np.unique(mask.classes).tolist())
            raise InvalidParameter(
                f"class_index={asked}: the model finds no {self._labels[self.followed]!r} here, "
                f"but {there}."
            )
        return Said(self._mean(mask, own), largest, 1.0)

    def run(self, inputs: NDArray[Any]) -> Sequence[Mask]:
        """Return the mask of each of the inputs."""
        return self._run(inputs)

    def compare(self, output: Mask, sweep: Sweep, amount: float) -> Said:
        """Return what was said of an input that was moved so."""
        source = self._source(sweep, amount, self._rest.shape)
        expected, counted = carried(self._rest, source)
        agrees = float(np.mean((output.classes == expected)[counted])) if counted.any() else 1.0
        own = counted & (expected == self.followed)
        return Said(self._mean(output, own), _largest(output.classes), agrees)

    def _mean(self, mask: Mask, where: NDArray[np.bool_]) -> float | None:
        if mask.probabilities is None or not where.any():
            return None
        return _number(mask.probabilities[self.followed][where].mean(dtype=np.float64))


def check_class(asked: int | None, labels: tuple[str, ...]) -> None:
    """Raise InvalidParameter if there is no such class."""
    if asked is not None and asked >= len(labels):
        raise InvalidParameter(
            f"class_index={asked}: this model has the classes 0-{len(labels) - 1}."
        )


def _number(value: np.floating) -> float | None:
    return float(value) if np.isfinite(value) else None


def _largest(mask: NDArray[np.uint8]) -> int:
    return int(np.bincount(mask.reshape(-1)).argmax())
