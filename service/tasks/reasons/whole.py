"""A model's input with parts of it hidden, through the whole graph."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.tasks.reasons.target import Scores, Target

# (N, ...) inputs -> (N, classes, ...) probabilities
RunWhole = Callable[[NDArray[Any]], Scores]


@dataclass
class Hiding:
    """An input that can be hidden in part.

    inputs: (H, W, C) uint8 of a picture, or (samples,) float32 of a sound.
    blank: what stands for nothing: the mean colour (C,) that the model was trained with, which is
        zero behind its normalisation; silence for sounds.
    runs: items that were run so far.
    """

    run: RunWhole
    inputs: NDArray[Any] = field(repr=False)
    blank: NDArray[np.float32]
    target: Target
    runs: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the input; a sound is one row."""
        shape = self.inputs.shape
        return (shape[0], shape[1]) if len(shape) == 3 else (1, shape[0])

    def probabilities(self, shown: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probability of the class, (N,), where so much of the input is shown.

        shown: (N, rows, columns) in 0..1: 0 hides a pixel or sample, 1 leaves it as it is.
        """
        share = shown[..., None] if self.inputs.ndim == 3 else shown[:, 0]
        mixed = self.blank + share * (self.inputs.astype(np.float32) - self.blank)
        if self.inputs.dtype == np.uint8:
            mixed = np.rint(mixed)
        self.runs += len(shown)
        return self.target.of(self.run(mixed.astype(self.inputs.dtype)))
