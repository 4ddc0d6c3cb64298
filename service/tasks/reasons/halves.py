"""Runs both halves of a graph that was cut at a tap."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import DeviceFault, ModelNotReady

Array = NDArray[Any]
Run = Callable[[Mapping[str, Array]], dict[str, Array]]


class Halfway:
    """A picture or a window of a sound at the tap, from where it can be run on in other ways.

    maps: (C, ...) at the tap.
    runs: items that went through either half so far.
    """

    def __init__(self, halves: "TwoHalves", inputs: Array) -> None:
        self.runs = 0
        self._halves = halves
        self._one = self._before(inputs)
        self.maps = self._one[halves.tap][0]
        self._two = self._before_of_two(inputs) if self._counts_items() else None
        self.together = self._go_together()

    def scores(self, maps: Array) -> Array:
        """Return what follows from other maps (N, C, ...) at the tap: the scores (N, ...)."""
        if self.together:
            return self._after(maps, len(maps))
        return np.concatenate([self._after(one[None], 1) for one in maps])

    def _before(self, inputs: Array) -> dict[str, Array]:
        self.runs += len(inputs)
        name = self._halves.input
        return {name: inputs, **self._halves.before({name: inputs})}

    def _counts_items(self) -> bool:
        """Whether a side may be no activation but a shape, which tells how many items there are."""
        return any(self._one[side].dtype.kind in "iu" for side in self._halves.sides)

    def _before_of_two(self, inputs: Array) -> dict[str, Array] | None:
        try:
            return self._before(np.repeat(inputs, 2, axis=0))
        except (DeviceFault, ModelNotReady):
            raise
        except Exception:  # a graph for one item at a time; the runtime's errors have no base class
            return None

    def _go_together(self) -> bool:
        """Try whether two copies give what one gives; some graphs take one item at a time."""
        maps = self.maps[None]
        alone = self._after(maps, 1)
        try:
            both = self._after(np.repeat(maps, 2, axis=0), 2)
        except (DeviceFault, ModelNotReady):
            raise
        except Exception:  # as above
            return False
        expected = np.repeat(alone, 2, axis=0)
        return both.shape == expected.shape and np.allclose(
            both, expected, rtol=1e-3, atol=1e-4, equal_nan=True
        )

    def _after(self, maps: Array, items: int) -> Array:
        self.runs += items
        sides = {side: self._side(side, items) for side in self._halves.sides}
        answers = self._halves.after({self._halves.tap: maps, **sides})
        return answers[self._halves.scores]

    def _side(self, name: str, items: int) -> Array:
        """Return what passes the tap by as it is for so many items."""
        one = self._one[name]
        if items == 1:
            return one
        two = self._two[name] if self._two else None
        if two is not None and two.shape == one.shape and one.dtype.kind in "iu":
            # a number of items, or what is made of it
            counted: Array = one + (two - one) * (items - 1)
            return counted
        if one.ndim and one.shape[0] == 1 and (two is None or two.shape[0] == 2):
            return np.repeat(one, items, axis=0)
        return one


@dataclass(frozen=True)
class TwoHalves:
    """Both halves of a graph, ready to run.

    input, tap, scores: names of tensors. sides: as in Halves. size_bytes: of both as files.
    """

    before: Run
    after: Run
    input: str
    tap: str
    scores: str
    sides: tuple[str, ...]
    size_bytes: int

    def begin(self, inputs: Array) -> Halfway:
        """Run one item (1, ...) to the tap."""
        return Halfway(self, inputs)
