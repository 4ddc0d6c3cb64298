"""The outlines of a mask as polygons, which vector editors and map tools read."""

from itertools import pairwise
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from service.codecs.outlines import trace_outlines
from service.codecs.simplify import simplify_outlines

# Some 50 times what the masks of photographs have, for whom 10 MB of JSON would be no use.
_MAX_CORNERS = 500_000


class MultiPolygon(TypedDict):
    """GeoJSON, RFC 7946, 3.1.7. coordinates: polygons of rings of [x, y] in pixels."""

    type: str
    coordinates: list[list[list[list[int]]]]


def trace_polygons(
    mask: NDArray[np.bool_], tolerance_px: float = 0.0, max_corners: int = _MAX_CORNERS
) -> MultiPolygon:
    """Return the outlines of one class, a polygon for every 4-connected region.

    mask: (H, W), True where the class is.
    tolerance_px: how far an outline may be moved to save points; every ring stays, and so does
        its box. At 0 the outlines follow the pixels' edges and the area is the number of pixels.
        Classes are simplified one by one, so that neighbours may part or overlap as far.
    Returns: rings of integers, closed, the outer one of a polygon first and then its holes. The
        pixel in row r and column c covers x from c to c + 1 and y from r to r + 1. The polygons
        are valid in the sense of OGC Simple Features; they touch at single points at most. As RFC
        7946 has it, outer rings are counter-clockwise and holes clockwise, in numbers: where y
        points down, as on a screen, the eye sees them turn the other way.
    Raises: TooLarge if there are more corners, before any is traced.

    >>> trace_polygons(np.array([[True, True]]))["coordinates"]
    [[[[0, 0], [2, 0], [2, 1], [0, 1], [0, 0]]]]
    """
    outlines = trace_outlines(mask, max_corners)
    if tolerance_px > 0:
        outlines = simplify_outlines(outlines, tolerance_px)
    rings = _cut(outlines.points.tolist(), outlines.rings)
    return {"type": "MultiPolygon", "coordinates": _cut(rings, outlines.regions)}


def _cut(items: list[Any], offsets: list[int]) -> list[Any]:
    """Return the parts that begin at the offsets; the last of these is where the last part ends."""
    return [items[start:end] for start, end in pairwise(offsets)]
