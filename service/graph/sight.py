"""What the cells of a tensor see of the network's input, and which axis is which."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil

from service.contract.geometry import Field, join, spread, visible

PLACES = "HW"


@dataclass(frozen=True)
class View:
    """What cells see along one axis of the input.

    extent: size of the input along the axis in pixels; None if it is dynamic.
    field: None where it cannot be told.
    fixed: pixels that every cell sees wherever it lies, after pooling over all places.
    folded: cells of this axis that a reshape has put into another axis; None if unknown.
    """

    extent: int | None
    field: Field | None
    fixed: float = 0
    folded: int | None = 1

    def moved(self, change: Callable[[Field], Field]) -> "View":
        """Return the view with its field changed, if there is one."""
        return self if self.field is None else replace(self, field=change(self.field))

    def lost(self) -> "View":
        """Return the view of somebody who cannot tell any more."""
        return replace(self, field=None)

    def pooled(self, cells: int | None) -> "View":
        """Return the view of one value computed from all `cells` cells of the axis."""
        if self.field is None or self.extent is None or cells is None:
            return self.lost()
        together = spread(self.field, cells)
        seen = max(self.fixed, visible(together, self.extent))
        return replace(self, field=replace(together, size=seen), fixed=seen)

    def pixels(self, placed: bool) -> int | None:
        """Return the receptive field in whole pixels.

        Cells that have a place tell what a window far from the border sees, which
        may be more than the input has; all others cannot see more than there is.
        """
        if self.field is None:
            return None
        if placed and not self.fixed:
            return ceil(self.field.size)
        if self.extent is None:
            return None
        return ceil(max(self.fixed, min(self.field.size, self.extent)))


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

    def over(self, axis: int, cells: int | None) -> "Sight":
        """Return what a value sees that is computed from all cells along the axis."""
        letter = self.layout[axis]
        if letter in PLACES:
            return self.change(letter, self.along(letter).pooled(cells))
        if letter == "F":
            return replace(
                self,
                height=self.height.pooled(self.height.folded),
                width=self.width.pooled(self.width.folded),
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
        views[letter] = _meet_views([sight.along(letter) for sight in sights], placed)
    return Sight(layout, views["H"], views["W"])


def _meet_views(views: list[View], placed: list[View]) -> View:
    fields = [view.field for view in views if view.field is not None]
    if len(fields) < len(views):
        return views[0].lost()
    together = join([view.field for view in placed if view.field is not None] or fields)
    size = max(field.size for field in [together, *fields])
    fixed = max(view.fixed for view in views)
    first = (placed or views)[0]
    return replace(first, field=replace(together, size=size), fixed=fixed)
