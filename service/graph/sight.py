"""What the cells of a tensor see of the network's input, and which axis is which.

Of a sound, the width is the time and its pixels are samples. It has no height, until a short-time
Fourier transform makes one: from there on, pixels up and down are rows of the spectrogram.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil

from service.graph.cells import Cells, join

PLACES = "HW"


@dataclass(frozen=True)
class View:
    """What cells see along one axis of the input.

    extent: size of the input along the axis in pixels; None if it is dynamic.
    cells: what each sees around its own place; None where it cannot be told.
    fixed: pixels that every cell sees besides, wherever it lies, after pooling over all places.
    folded: cells of this axis that a reshape has put into another axis; None if unknown.
    frequencies: each cell is a frequency of a Fourier transform, not gathered into bands yet.
    """

    extent: int | None
    cells: Cells | None
    fixed: float = 0
    folded: int | None = 1
    frequencies: bool = False

    def moved(self, change: Callable[[Cells], Cells | None]) -> "View":
        """Return the view with its cells changed, if they are known."""
        return self if self.cells is None else replace(self, cells=change(self.cells))

    def lost(self) -> "View":
        """Return the view of somebody who cannot tell any more."""
        return replace(self, cells=None)

    def pooled(self, count: int | None) -> "View":
        """Return the view of one value computed from all `count` cells of the axis."""
        seen = self._all(count)
        return replace(self, cells=seen, fixed=max(self.fixed, seen.size)) if seen else self.lost()

    def normalized(self, count: int | None) -> "View":
        """Return the view of cells that keep their places, each computed from all `count`."""
        seen = self._all(count)
        return replace(self, fixed=max(self.fixed, seen.size)) if seen else self.lost()

    def _all(self, count: int | None) -> Cells | None:
        if self.cells is None or self.extent is None or count is None:
            return None
        begin = max(0, self.cells.begin(0))
        end = max(begin, min(self.extent, self.cells.end(count - 1)))
        return Cells((begin,), (end,), self.cells.jump)

    def pixels(self, placed: bool) -> int | None:
        """Return the receptive field in whole pixels.

        Cells that have a place tell what a window far from the border sees, which
        may be more than the input has; all others cannot see more than there is.
        """
        if self.cells is None:
            return None
        if placed and not self.fixed:
            return ceil(self.cells.size)
        if self.extent is None:
            return None
        return ceil(max(self.fixed, min(self.cells.size, self.extent)))

    def local_pixels(self, placed: bool) -> int | None:
        """Return the same without what every cell sees, for cells that have a place."""
        if placed and self.cells is not None:
            return ceil(self.cells.size)
        return self.pixels(placed)


@dataclass(frozen=True)
class Sight:
    """What a tensor's cells see.

    layout: a letter an axis: N items of the batch, C channels, H and W places, F places
        that a reshape has folded together, `-` anything else.
    """

    layout: str
    height: View
    width: View

    def along(self, letter: str) -> View:
        """Return the view along H or W."""
        return self.height if letter == "H" else self.width

    def change(self, letter: str, view: View) -> "Sight":
        """Return the sight with another view along H or W."""
        return replace(self, height=view) if letter == "H" else replace(self, width=view)

    @property
    def settled(self) -> bool:
        """Whether all values see the same, so that no operator can make them see more."""
        placeless = not set(self.layout).intersection("HWF")
        return placeless and self.height.fixed > 0 and self.width.fixed > 0

    def over(self, axis: int, count: int | None) -> "Sight":
        """Return what a value sees that is computed from all `count` cells along the axis."""
        return self._over(axis, count, View.pooled)

    def normalized(self, axis: int, count: int | None) -> "Sight":
        """Return what a value sees that keeps its place, and depends on all along the axis."""
        return self._over(axis, count, View.normalized)

    def _over(
        self, axis: int, count: int | None, change: Callable[[View, int | None], View]
    ) -> "Sight":
        letter = self.layout[axis]
        if letter in PLACES:
            return self.change(letter, change(self.along(letter), count))
        if letter == "F":
            return replace(
                self,
                height=change(self.height, self.height.folded),
                width=change(self.width, self.width.folded),
            )
        return self


def behind_unknown(sights: Sequence[Sight], rank: int | None) -> Sight:
    """Return the sight of a tensor of that rank which an unknown operator made."""
    layout = sights[0].layout
    if rank is not None and rank != len(layout):
        layout = ("NC" + "-" * rank)[:rank]
    if all(sight.settled for sight in sights):
        return replace(meet(sights), layout=layout)
    return Sight(layout, sights[0].height.lost(), sights[0].width.lost())


def meet(sights: Sequence[Sight]) -> Sight:
    """Return the sight where branches meet cell by cell, broadcast like NumPy arrays."""
    rank = max(len(sight.layout) for sight in sights)
    layouts = [sight.layout.rjust(rank, "-") for sight in sights]
    layout = "".join(max(letters, key="-FCNHW".index) for letters in zip(*layouts, strict=True))
    views = {}
    for letter in PLACES:
        placed = [sight.along(letter) for sight in sights if letter in sight.layout]
        others = [sight.along(letter) for sight in sights if letter not in sight.layout]
        views[letter] = _meet_views(placed, others) if placed else _meet_views(others, [])
    return Sight(layout, views["H"], views["W"])


def _meet_views(views: list[View], others: list[View]) -> View:
    """Return the view where `views` meet, and `others` that are the same at every place."""
    first = views[0]
    known = [view.cells for view in views if view.cells is not None]
    everywhere = [view.cells for view in others if view.cells is not None]
    if len(known) + len(everywhere) < len(views) + len(others):
        return first.lost()
    fixed = max(view.fixed for view in (*views, *others))
    wider = max((cells.size for cells in everywhere if cells.size > fixed), default=0)
    return replace(first, cells=join(known).at_least(wider), fixed=fixed)
