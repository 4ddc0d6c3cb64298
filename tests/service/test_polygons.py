from itertools import pairwise

import cv2
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from shapely.geometry import shape

from service.codecs.polygons import MultiPolygon, trace_polygons
from service.contract.errors import TooLarge

MASKS = arrays.arrays(np.bool_, st.tuples(st.integers(1, 24), st.integers(1, 24)))
RING = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)


def blobs(seed: int, size: tuple[int, int] = (90, 120)) -> np.ndarray:
    """Return a mask with the coasts, islands and lakes that noise has after a blur."""
    noise = np.random.default_rng(seed).random(size, np.float32)
    smooth: np.ndarray = cv2.GaussianBlur(noise, (0, 0), 3) > 0.5
    return smooth


def rasterise(polygons: MultiPolygon, size: tuple[int, int]) -> np.ndarray:
    """Return the pixels whose centres lie inside, (H, W), as Shapely sees it."""
    rows, columns = np.indices(size) + 0.5
    inside: np.ndarray = shapely.contains_xy(shape(polygons), columns, rows)
    return inside


@given(mask=MASKS)
def test_exact_outlines_give_the_mask_back(mask: np.ndarray) -> None:
    """Every pixel, and so the area; a polygon for each 4-connected region; all of it valid."""
    polygons = trace_polygons(mask)
    assert np.array_equal(rasterise(polygons, mask.shape), mask)
    assert shape(polygons).area == mask.sum()
    assert shape(polygons).is_valid
    regions, _ = cv2.connectedComponents(mask.view(np.uint8), connectivity=4)
    assert len(polygons["coordinates"]) == regions - 1


@given(mask=MASKS, tolerance_px=st.floats(0, 8))
def test_simpler_outlines_are_valid_and_near(mask: np.ndarray, tolerance_px: float) -> None:
    """No line is further off than was asked for, either way, and every ring is still there."""
    exact, simple = trace_polygons(mask), trace_polygons(mask, tolerance_px)
    assert shape(simple).is_valid
    assert [len(polygon) for polygon in simple["coordinates"]] == [
        len(polygon) for polygon in exact["coordinates"]
    ]
    for rings, simple_rings in zip(exact["coordinates"], simple["coordinates"], strict=True):
        for ring, simple_ring in zip(rings, simple_rings, strict=True):
            distance = shapely.LineString(ring).hausdorff_distance(
                shapely.LineString(simple_ring).segmentize(0.25)
            )
            assert distance <= tolerance_px + 1e-9
            assert {tuple(point) for point in simple_ring} <= {tuple(point) for point in ring}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tolerance_px", [1.0, 2.5])
def test_only_pixels_near_the_border_change(seed: int, tolerance_px: float) -> None:
    """Drawn again, far fewer points show the same mask but for a seam as wide as the tolerance."""
    mask = blobs(seed)
    exact, simple = trace_polygons(mask), trace_polygons(mask, tolerance_px)

    rows, columns = np.nonzero(rasterise(simple, mask.shape) != mask)
    assert 0 < len(rows) < mask.size * 0.1
    centres = shapely.points(columns + 0.5, rows + 0.5)
    assert shapely.distance(centres, shape(exact).boundary).max() <= tolerance_px + 1e-9
    assert shapely.get_num_coordinates(shape(simple)) < (
        shapely.get_num_coordinates(shape(exact)) / 2
    )


@pytest.mark.parametrize("tolerance_px", [3.0, 10.0])
def test_islands_stay_on_their_side_of_the_coast(tolerance_px: float) -> None:
    """A coarse line is not drawn through what lies behind it: still valid, nothing overlaps."""
    mask = blobs(0)
    mask[::5, ::5] ^= True
    simple = trace_polygons(mask, tolerance_px)
    assert shape(simple).is_valid
    assert len(simple["coordinates"]) == len(trace_polygons(mask)["coordinates"])


@given(mask=MASKS, tolerance_px=st.sampled_from([0.0, 2.0]))
def test_rings_turn_as_geojson_wants(mask: np.ndarray, tolerance_px: float) -> None:
    """Closed; outer rings counter-clockwise in numbers, holes clockwise."""
    for outer, *holes in trace_polygons(mask, tolerance_px)["coordinates"]:
        assert all(ring[0] == ring[-1] for ring in (outer, *holes))
        assert signed_area(outer) > 0
        assert all(signed_area(hole) < 0 for hole in holes)


def test_hole_is_a_ring_of_its_polygon() -> None:
    """A frame of pixels is one polygon with one hole."""
    ((outer, hole),) = trace_polygons(RING)["coordinates"]
    assert sorted(outer[:-1]) == [[0, 0], [0, 3], [3, 0], [3, 3]]
    assert sorted(hole[:-1]) == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_empty_mask_has_no_polygons() -> None:
    """The form stays that of GeoJSON."""
    polygons = trace_polygons(np.zeros((3, 5), bool))
    assert polygons == {"type": "MultiPolygon", "coordinates": []}


def test_mask_of_noise_is_refused_in_time() -> None:
    """Who posts a chessboard gets 413 and not an answer of gigabytes."""
    board = np.indices((100, 100)).sum(axis=0) % 2 == 0
    with pytest.raises(TooLarge):
        trace_polygons(board, max_corners=19_999)
    assert len(trace_polygons(board, max_corners=20_000)["coordinates"]) == 5_000


def signed_area(ring: list[list[int]]) -> float:
    return sum(x * b - a * y for (x, y), (a, b) in pairwise(ring)) / 2
