"""The outlines of a mask's regions as rings of corners, exact to the pixel.

A corner is a point of the pixel grid where the outline turns. Along every row of the grid the
corners come in pairs, the two ends of a straight piece of outline, and so they do along every
column. Whoever walks to the other end of the row, then of the column, and so on, goes round.
Regions are found once, by OpenCV; all else is done for the corners alone, which are few.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, chain

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import TooLarge

# The four pixels round a point, as bits that say which of them are inside.
_NW, _NE, _SW, _SE = 1, 2, 4, 8
# Two pixels inside that touch at the point alone: two corners lie there.
_FALLING, _RISING = _NW | _SE, _NE | _SW
_CORNERS = np.array([code.bit_count() % 2 for code in range(16)], np.uint8)
_CORNERS[[_FALLING, _RISING]] = 2
# With the inside on the right, these are left along the row and the others along the column.
_LEAVES_BY_ROW = np.isin(np.arange(16), [_NW, _SE, 15 - _NE, 15 - _SW, _FALLING])
# Which of the four, counted from 0, is inside beside the corner, or beside the one on the west.
_INSIDE = np.array(
    [2 if code == _RISING else (code & -code).bit_length() - 1 for code in range(16)]
)
# The outline goes up from the point, rather than down, if the two pixels above it differ.
_GOES_UP = np.isin(np.arange(16) & (_NW | _NE), [_NW, _NE])


@dataclass(frozen=True)
class Outlines:
    """Rings of points, nested as GeoArrow and Shapely nest them.

    points: (N, 2) x and y in pixels; pixel (r, c) is the square from (c, r) to (c + 1, r + 1).
    rings: ring i is points[rings[i] : rings[i + 1]], its last point the same as its first.
    regions: region i is rings regions[i] up to regions[i + 1]: its outer ring, then its holes.
    """

    points: NDArray[np.int64]
    rings: list[int]
    regions: list[int]


@dataclass(frozen=True)
class _Corners:
    """Every corner by row, then column; of two at a point the one on the west comes first.

    row, column: of the point, int64. code: the pixels round it.
    goes_up: whether the outline leads up from the corner; it leads down otherwise.
    region: number of the region whose outline it is.
    """

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    code: NDArray[np.uint8]
    goes_up: NDArray[np.bool_]
    region: NDArray[np.int32]


def trace_outlines(mask: NDArray[np.bool_], max_corners: int) -> Outlines:
    """Return the outlines of the mask's 4-connected regions.

    mask: (H, W), True inside.
    Returns: rings that turn at every point and never touch themselves; two rings meet at single
        points at most. The shoelace formula gives outer rings a positive area and holes a
        negative one: drawn with y down, the inside lies on the right.
    Raises: TooLarge if there are more corners, known before any is kept.
    """
    import cv2  # here, because it takes 0.1 s that the start of a server need not wait for

    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    inside = np.pad(mask[top : top + height, left : left + width].view(np.uint8), 1)
    corners = _find_corners(inside, max_corners)
    region = corners.region.tolist()
    found: dict[int, list[list[int]]] = defaultdict(list)
    # A region's uppermost corner lies on its outer ring, which is therefore found before its holes.
    for ring in _walk(_next_corners(corners)):
        found[region[ring[0]]].append(ring)
    rings = list(chain.from_iterable(found.values()))
    order = np.fromiter(chain.from_iterable(rings), np.int64)
    points = np.stack([corners.column[order] + left, corners.row[order] + top], axis=1)
    return Outlines(points, _offsets(rings), _offsets(list(found.values())))


def _find_corners(inside: NDArray[np.uint8], max_corners: int) -> _Corners:
    """Return the corners; raises TooLarge. inside: 0 or 1, with a border of 0."""
    import cv2

    codes = inside[:-1, :-1] + _NE * inside[:-1, 1:] + _SW * inside[1:, :-1] + _SE * inside[1:, 1:]
    counts = _CORNERS[codes]  # of every point
    total = int(counts.sum())
    if total > max_corners:
        raise TooLarge(
            f"The outlines have {total:,} corners; at most {max_corners:,} are traced. "
            "A larger min_area leaves fewer."
        )
    places = np.flatnonzero(counts)
    places = np.repeat(places, counts.ravel()[places])
    row, column = np.divmod(places, codes.shape[1])
    code = codes[row, column]
    east = np.flatnonzero(places[1:] == places[:-1]) + 1  # each after the one on the west
    pixel = _INSIDE[code]
    pixel[east] = 3 - pixel[east]
    region = cv2.connectedComponents(inside, connectivity=4)[1][
        row + pixel // 2, column + pixel % 2
    ]
    goes_up = _GOES_UP[code]
    # Two pixels of one region that touch at a point close a loop there: what lies inside of it and
    # what lies outside get a ring each, and neither touches itself. Two regions are kept apart.
    goes_up[east] = (code[east] == _FALLING) == (region[east] == region[east - 1])
    goes_up[east - 1] = ~goes_up[east]
    return _Corners(row, column, code, goes_up, region)


def _next_corners(corners: _Corners) -> list[int]:
    """Return for every corner the one that follows it on its ring."""
    by_row = np.arange(len(corners.row)) ^ 1  # the other one of its pair
    height = int(corners.row.max(initial=0)) + 1
    # by column, then row; of two at a point the upper one comes first
    order = np.argsort((corners.column * height + corners.row) * 2 + ~corners.goes_up)
    by_column = np.empty_like(order)
    by_column[order] = order.reshape(-1, 2)[:, ::-1].reshape(-1)
    following: list[int] = np.where(_LEAVES_BY_ROW[corners.code], by_row, by_column).tolist()
    return following


def _walk(following: list[int]) -> Iterator[list[int]]:
    """Yield every ring, closed, in the order of their first corners."""
    seen = bytearray(len(following))
    for first in range(len(following)):
        if seen[first]:
            continue
        ring, corner = [first], following[first]
        while corner != first:
            seen[corner] = 1
            ring.append(corner)
            corner = following[corner]
        ring.append(first)
        yield ring


def _offsets(parts: list[list[int]] | list[list[list[int]]]) -> list[int]:
    """Return where each part begins in all of them end to end, and where the last one ends."""
    return list(accumulate(map(len, parts), initial=0))
