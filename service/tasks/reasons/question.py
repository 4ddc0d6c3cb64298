"""What is explained, and what comes of it."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from service.tasks.reasons.grid import Grid
from service.tasks.reasons.plan import Method

Asked = Method | Literal["auto"]


@dataclass(frozen=True)
class Question:
    """What is to be explained, and how.

    method: `auto` for the model's default one.
    layer: a tap's name or a module's path; None for the method's default one.
    class_index: None for the likeliest.
    """

    method: Asked = "auto"
    layer: str | None = None
    class_index: int | None = None


@dataclass(frozen=True)
class Subject:
    """What the model was given.

    inputs: one model input, (H, W, C) uint8 or (samples,) float32.
    blank: what stands for nothing in it, (C,) or a single number.
    place: for a segmenter, the only place whose class counts, in shares of the input's height and
        width; None for all.
    own: for a segmenter, where the picture lies in the input.
    """

    inputs: NDArray[Any] = field(repr=False)
    blank: NDArray[np.float32]
    place: tuple[float, float] | None = None
    own: tuple[slice, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """Where a model looks for a class.

    values: (H, W) float32, neither cut at zero nor normalised: above zero speaks for the class.
    layer: the tap whose cells these are; None for occlusion.
    grid: where the cells lie in the input.
    channels, tried: of the layer, and of how many of them the weight was found out.
    reason: why the map says nothing, or None if it says something.
    runs: items that went through the graph or a part of it.
    """

    method: Method
    layer: str | None
    class_index: int
    probability: float
    values: NDArray[np.float32] = field(repr=False)
    grid: Grid
    channels: int | None
    tried: int | None
    reason: str | None
    runs: int

    @property
    def degenerate(self) -> bool:
        """Whether the map says nothing."""
        return self.reason is not None

    @property
    def peak(self) -> tuple[float, float] | None:
        """The middle of the strongest cell in the input, or None where the map says nothing."""
        if self.degenerate:
            return None
        row, column = divmod(int(self.values.argmax()), self.values.shape[1])
        return self.grid.middle(row, column)
