"""Pieces of outlines, all measured at once: how bent they are, and what is near them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Points = NDArray[np.int64]  # (N, 2) x and y, from 0 on
Flags = NDArray[np.bool_]

# So many boxes, one below the other, are put round a slanting piece. With more of them fewer
# neighbours are taken for being inside, and each costs time.
_MAX_BOXES = 16
_ROUNDING = 1e-6  # pixels; far above what floats lose in 2**16 pixels a side


class Crowd:
    """How many different points there are in any box, after one look at them all."""

    def __init__(self, points: Points) -> None:
        import cv2  # here, because it takes 0.1 s that the start of a server need not wait for

        width, height = points.max(axis=0) + 1
        there = np.zeros((height, width), np.uint8)
        there[points[:, 1], points[:, 0]] = 1
        self._before = cv2.integral(there)  # (H + 1, W + 1) int32

    def count(self, low: Points, high: Points) -> Integers:
        """Return the numbers of points in boxes, given by two of their corners, which belong to it.

        A box whose high x is one below its low x is empty.
        """
        (left, top), (right, bottom) = low.T, high.T + 1
        before = self._before
        found: Integers = before[bottom, right] - before[bottom, left]
        found += before[top, left] - before[top, right]
        return found


@dataclass(frozen=True)
class Pieces:
    """Each goes from points[start] to points[end], which lie at different places.

    points: of all outlines, ring after ring.
    """

    points: Points
    starts: Integers
    ends: Integers

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, chosen: Flags) -> "Pieces":
        """Return some of them."""
        return Pieces(self.points, self.starts[chosen], self.ends[chosen])

    def split(self, middle: Integers) -> "Pieces":
        """Return the two parts of each."""
        starts, ends = np.append(self.starts, middle), np.append(middle, self.ends)
        return Pieces(self.points, starts, ends)

    def farthest(self) -> tuple[NDArray[np.float64], Integers]:
        """Return how far each goes from the straight line between its ends, and at which point."""
        piece, number, firsts = self._items
        line = self._lines[piece]
        along = np.clip((line * self._away).sum(axis=1) / (line * line).sum(axis=1), 0, 1)
        distance = np.hypot(*(self._away - along[:, None] * line).T)
        far = np.maximum.reduceat(distance, firsts)
        at = np.maximum.reduceat(np.where(distance == far[piece], number, 0), firsts)
        return far, self.starts + at

    def crowded(self, crowd: Crowd) -> Flags:
        """Return which have points that are not their own in their convex hull, or near it."""
        if not len(self):
            return np.zeros(0, np.bool_)
        low, high = self._span(self._away)
        start, sizes = self.points[self.starts], self.ends - self.starts + 1
        crowded: Flags = crowd.count(start + low, start + high) > sizes
        # A closer look; of a level piece the box is already narrow.
        doubtful = crowded & (self._lines[:, 1] != 0)
        if doubtful.any():
            crowded[doubtful] = self.take(doubtful)._count_near(crowd) > sizes[doubtful]
        return crowded

    def _count_near(self, crowd: Crowd) -> Integers:
        """Return how many points there are in boxes, one below the other, that hold the hull."""
        low, high = self._span(self._away)
        heights = high[:, 1] - low[:, 1] + 1
        boxes = np.minimum(heights, _MAX_BOXES)
        piece, number, firsts = _lay_out(boxes)
        top = low[piece, 1] + number * heights[piece] // boxes[piece]
        bottom = low[piece, 1] + (number + 1) * heights[piece] // boxes[piece] - 1
        left, right = self._sides(piece, top, bottom)
        left = np.maximum(left, low[piece, 0])
        right = np.maximum(np.minimum(right, high[piece, 0]), left - 1)
        start = self.points[self.starts][piece]
        found = crowd.count(
            start + np.stack([left, top], axis=1), start + np.stack([right, bottom], axis=1)
        )
        counts: Integers = np.add.reduceat(found, firsts)
        return counts

    def _sides(self, piece: Integers, top: Integers, bottom: Integers) -> tuple[Integers, Integers]:
        """Return where the hulls of these pieces begin and end, at most, between two heights.

        A hull lies between two lines along the piece: all its points (x, y) have
        least <= dx * y - dy * x <= most.
        """
        dx, dy = self._lines.T
        owner = self._items[0]
        beside = dx[owner] * self._away[:, 1] - dy[owner] * self._away[:, 0]
        dx, dy = dx[piece], dy[piece]
        places = [
            (dx * y - offset[piece]) / dy for offset in self._span(beside) for y in (top, bottom)
        ]
        left = np.ceil(np.minimum.reduce(places) - _ROUNDING)
        right = np.floor(np.maximum.reduce(places) + _ROUNDING)
        return left.astype(np.int64), right.astype(np.int64)

    @cached_property
    def _items(self) -> tuple[Integers, Integers, Integers]:
        """The points of all pieces end to end, both ends of a piece included: see `_lay_out`."""
        return _lay_out(self.ends - self.starts + 1)

    @cached_property
    def _away(self) -> Points:
        """Where these points are, seen from the start of their piece."""
        piece, number, _ = self._items
        start = self.starts[piece]
        away: Points = self.points[start + number] - self.points[start]
        return away

    @cached_property
    def _lines(self) -> Points:
        """Where the pieces end, seen from their start."""
        return self.points[self.ends] - self.points[self.starts]

    def _span(self, values: Integers) -> tuple[Integers, Integers]:
        """Return the least and the greatest in each piece of what was found for its points."""
        firsts = self._items[2]
        return np.minimum.reduceat(values, firsts), np.maximum.reduceat(values, firsts)


def _lay_out(sizes: Integers) -> tuple[Integers, Integers, Integers]:
    """Return for groups end to end: of each item group and number, of each group its first item.

    >>> [found.tolist() for found in _lay_out(np.array([2, 3]))]
    [[0, 0, 1, 1, 1], [0, 1, 0, 1, 2], [0, 2]]
    """
    firsts = np.cumsum(sizes) - sizes
    group = np.repeat(np.arange(len(sizes)), sizes)
    return group, np.arange(len(group)) - firsts[group], firsts
