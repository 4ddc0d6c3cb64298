"""Outlines with fewer points that still fit each other.

This is Douglas and Peucker's way (1973), for all outlines at once: a piece becomes a straight line
if it lies close enough to one, otherwise it is split in two. Nothing changes sides, since a piece
becomes straight only if there is no point of the rest in its convex hull, which is Saalfeld's
criterion (doi:10.1559/152304099782424901). The time grows with the number of points alone; to
compare every ring with every other would take minutes where a mask is noisy.
"""

from itertools import count

import numpy as np

from service.codecs.outlines import Outlines
from service.codecs.pieces import Crowd, Flags, Integers, Pieces, Points

# From this round on pieces are halved. Splitting at the farthest point leaves fewer points, but
# a comb would lose one tooth a round.
_HALVING_ROUND = 32


def simplify_outlines(outlines: Outlines, tolerance_px: float) -> Outlines:
    """Return the outlines with points left out.

    tolerance_px: how far the old outline may lie from the new, and the new from the old.
    Returns: the same rings in the same regions, each in the same box and of four points at
        least. They do not touch themselves, and meet others only where they did before.
    """
    if not len(outlines.points):
        return outlines
    points = outlines.points - outlines.points.min(axis=0)
    shared = _find_shared(points)
    keep = shared | _find_extremes(points, np.array(outlines.rings))
    crowd = Crowd(points)
    fixed = np.flatnonzero(keep)
    pieces = Pieces(points, fixed[:-1], fixed[1:])
    for turn in count():
        pieces = pieces.take(pieces.ends - pieces.starts > 1)
        if not len(pieces):
            break
        far, middle = pieces.farthest()
        # Between two points that rings share there may be another line already.
        straight = (far <= tolerance_px) & ~(shared[pieces.starts] & shared[pieces.ends])
        straight[straight] = ~pieces.take(straight).crowded(crowd)
        pieces, middle = pieces.take(~straight), middle[~straight]
        if turn >= _HALVING_ROUND:
            middle = (pieces.starts + pieces.ends) // 2
        keep[middle] = True
        pieces = pieces.split(middle)
    kept_before = np.concatenate([[0], np.cumsum(keep)])
    rings = kept_before[outlines.rings].tolist()
    return Outlines(outlines.points[keep], rings, outlines.regions)


def _find_shared(points: Points) -> Flags:
    """Return which points occur more than once: where rings meet, or end."""
    x, y = points.T
    _, place, times = np.unique(y * (x.max() + 1) + x, return_inverse=True, return_counts=True)
    shared: Flags = times[place] > 1
    return shared


def _find_extremes(points: Points, rings: Integers) -> Flags:
    """Return the four corners of each ring that hold its box, one a side."""
    x, y = points.T
    size = int(points.max()) + 1
    extreme = np.zeros(len(points), np.bool_)
    for _ in range(4):
        x, y = y, -x
        reach = x * size - y  # farthest to that side, and there farthest to the one before
        extreme |= reach == np.repeat(np.maximum.reduceat(reach, rings[:-1]), np.diff(rings))
    return extreme
