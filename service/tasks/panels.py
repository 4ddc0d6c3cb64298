"""Where the channels of a sound's map are drawn: in columns, above a time axis each."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from service.contract.errors import InvalidParameter
from service.tasks.header import HEADER_PX
from service.tasks.ink import MARGIN_PX, MAX_SIDE_PX

SOUND_PX = 46
AXIS_PX = 22
_COLUMN_GAP_PX = 14
_CAPTION_PX = 14
_ROOM = (MAX_SIDE_PX - 2 * MARGIN_PX, MAX_SIDE_PX - 2 * MARGIN_PX - HEADER_PX)
# What needs no more than this is not made smaller than it must be.
_COMFORTABLE = (1240, 1100)
_NARROWEST_PX = 44
_HIGHEST_PX = 400
# Channels of a sequence are drawn as curves while there are so few, then as rows of colours.
MOST_CURVES = 8


@dataclass(frozen=True)
class Layout:
    """How the panels are laid out, one a channel.

    panel: width and height of the drawing in a panel.
    left, above: room beside and above each for what is written there; below: for a gap.
    enlarged: pixels to a row of the map; reduced: rows averaged to a pixel.
    """

    count: int
    columns: int
    panel: tuple[int, int]
    left: int
    above: int
    below: int
    enlarged: int = 1
    reduced: int = 1

    @property
    def lines(self) -> int:
        """How many panels lie below each other."""
        return ceil(self.count / self.columns)

    @property
    def pitch(self) -> tuple[int, int]:
        """From one panel to the next, right and down."""
        width, height = self.panel
        return self.left + width + _COLUMN_GAP_PX, self.above + height + self.below

    @property
    def foot(self) -> int:
        """Where the time axes are."""
        return SOUND_PX + self.lines * self.pitch[1]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of it all; some room is left for the last number of an axis."""
        return self.columns * self.pitch[0], self.foot + AXIS_PX

    def lefts(self) -> list[int]:
        """Return where the panels of each column begin."""
        return [self.left + column * self.pitch[0] for column in range(self.columns)]

    def corners(self) -> Iterator[tuple[int, int]]:
        """Yield where each panel's drawing begins."""
        for place in range(self.count):
            line, column = divmod(place, self.columns)
            yield self.left + column * self.pitch[0], SOUND_PX + line * self.pitch[1] + self.above


def plan_curves(count: int, left: int) -> Layout:
    """Return the layout of `count` curves below each other, as high as is comfortable."""
    width = _COMFORTABLE[0] - left - _COLUMN_GAP_PX
    return Layout(count, 1, (width, max(90, min(200, 600 // count))), left, above=0, below=10)


def plan_rows(count: int, left: int) -> Layout:
    """Return the layout of `count` rows of colours without gaps.

    Raises: InvalidParameter if so many do not fit.
    """
    lines = _ROOM[1] - SOUND_PX - AXIS_PX
    columns = ceil(count / lines)
    height = max(1, min(24, 900 // ceil(count / columns)))
    room = _COMFORTABLE[0] if columns == 1 else _ROOM[0]
    width = room // columns - left - _COLUMN_GAP_PX
    if width < _NARROWEST_PX:
        raise _too_many(count)
    return Layout(count, columns, (width, height), left, above=0, below=1 if height > 7 else 0)


def plan_spectrograms(count: int, rows: int, left: int) -> Layout:
    """Return the layout of `count` maps of so many rows, as large as is comfortable.

    Raises: InvalidParameter if so many do not fit at any size.
    """
    for room in (_COMFORTABLE, _ROOM):
        fitting = list(_enlarged(count, rows, left, room))
        if fitting:
            return max(fitting, key=_ease)
    for reduced in range(2, rows + 1):
        fitting = list(_reduced(count, rows, left, reduced))
        if fitting:
            return max(fitting, key=_ease)
    raise _too_many(count)


def _enlarged(count: int, rows: int, left: int, room: tuple[int, int]) -> Iterator[Layout]:
    for columns, width, height in _cells(count, left, room):
        enlarged = min(height, max(2 * width // 5, rows), _HIGHEST_PX) // rows
        if enlarged:
            panel = (width, rows * enlarged)
            yield Layout(count, columns, panel, left, _CAPTION_PX, 8, enlarged)


def _reduced(count: int, rows: int, left: int, reduced: int) -> Iterator[Layout]:
    for columns, width, height in _cells(count, left, _ROOM):
        if ceil(rows / reduced) <= height:
            panel = (width, ceil(rows / reduced))
            yield Layout(count, columns, panel, left, _CAPTION_PX, 4, reduced=reduced)


def _cells(count: int, left: int, room: tuple[int, int]) -> Iterator[tuple[int, int, int]]:
    """Yield numbers of columns with the width and height that a panel could have."""
    for columns in range(1, count + 1):
        width = room[0] // columns - left - _COLUMN_GAP_PX
        if width < _NARROWEST_PX:
            return
        height = (room[1] - SOUND_PX - AXIS_PX) // ceil(count / columns) - _CAPTION_PX - 8
        if height > 0:
            yield columns, width, height


def _ease(layout: Layout) -> float:
    """Return how easily the panels are read: those three times as wide as high fill a screen."""
    width, height = layout.panel
    return min(height, width / 3)


def _too_many(count: int) -> InvalidParameter:
    return InvalidParameter(
        f"{count} channels do not fit into one picture of at most {MAX_SIDE_PX} pixels a side; "
        "ask for fewer with channels= or top_k="
    )
