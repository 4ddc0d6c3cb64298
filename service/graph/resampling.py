"""Enlarging and shrinking without weights: ONNX's Resize, and Upsample before it."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import onnx

from service.graph.cells import Cells
from service.graph.facts import Facts
from service.graph.windows import attributes

RESAMPLINGS = ("Resize", "Upsample")
_FINEST_SCALE = 1000  # a third is written with eight digits and means a third
_ROUNDINGS: dict[str, Callable[[Fraction], int]] = {
    "floor": floor,
    "ceil": ceil,
    "round_prefer_floor": lambda place: ceil(place - Fraction(1, 2)),
    "round_prefer_ceil": lambda place: floor(place + Fraction(1, 2)),
}


@dataclass(frozen=True)
class Resampling:
    """A resampling along one axis.

    scale: new cells for each old one.
    rounding: of the place that a new cell has among the old ones, one of ONNX's `nearest_mode`;
        None if it is interpolated between its two neighbours.
    half_pixel: places are measured from centre to centre, not from edge to edge.
    """

    scale: Fraction
    rounding: str | None
    half_pixel: bool

    def through(self, cells: Cells) -> Cells | None:
        """Return what the new cells see.

        >>> Resampling(Fraction(2), "floor", half_pixel=False).through(Cells())
        Cells(begins=(0, 0), ends=(1, 1), period=1.0)
        """
        return cells.read_by(self._sources, self.scale.numerator, self.scale.denominator)

    def _sources(self, cell: int) -> tuple[int, int]:
        half = Fraction(1, 2) if self.half_pixel else Fraction(0)
        place = (cell + half) / self.scale - half
        if self.rounding is None:
            return floor(place), ceil(place)
        nearest = _ROUNDINGS[self.rounding](place)
        return nearest, nearest


def read_resampling(node: onnx.NodeProto, facts: Facts, axis: int) -> Resampling | None:
    """Return how a node of RESAMPLINGS resamples the axis, or None if that is nothing we know."""
    given, scale = attributes(node), _scale(node, facts, axis)
    mode = given.get("mode", b"nearest")
    keeps_shape = given.get("keep_aspect_ratio_policy", b"stretch") != b"stretch"
    if scale is None or keeps_shape or mode not in (b"nearest", b"linear"):
        return None
    if given.get("antialias", 0) and scale < 1:
        return None
    # before opset 11 there was one way, and it had no name
    old = facts.opset < 11
    default = (b"asymmetric", b"floor") if old else (b"half_pixel", b"round_prefer_floor")
    coordinates = given.get("coordinate_transformation_mode", default[0])
    if coordinates not in (b"asymmetric", b"half_pixel", b"pytorch_half_pixel"):
        return None
    rounding = given.get("nearest_mode", default[1]).decode() if mode == b"nearest" else None
    return Resampling(scale, rounding, coordinates != b"asymmetric")


def _scale(node: onnx.NodeProto, facts: Facts, axis: int) -> Fraction | None:
    """Return new cells for each old one: as the node says, else as the sizes tell."""
    given = attributes(node)
    position = 1 if facts.opset < 11 else 2
    scales = given.get("scales")
    if scales is None and position < len(node.input) and node.input[position]:
        scales = facts.floats(node.input[position])
    if scales:
        rank = facts.rank(node.input[0]) or len(scales)
        axes = [i % rank for i in given.get("axes", range(rank))]
        scale = scales[axes.index(axis)] if axis in axes else 1
        return Fraction(scale).limit_denominator(_FINEST_SCALE)
    old, new = facts.size(node.input[0], axis), facts.size(node.output[0], axis)
    return Fraction(new, old) if old and new else None
