"""A mask in the forms that other programs read."""

import base64
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from service.codecs.palette_png import encode_palette_png
from service.codecs.polygons import trace_polygons
from service.codecs.rle import encode_rle
from service.contract.manifest import Color
from service.contract.masks import Mask

# Each costs some hundred bytes until the answer is sent.
_MOST_CORNERS = 1_000_000
Format = Literal["rle", "png", "polygons"]


@dataclass(frozen=True)
class MaskForm:
    """How a mask is written out.

    tolerance_px: how far outlines of `polygons` may be off, in pixels; 0 is exact.
    """

    format: Format = "rle"
    tolerance_px: float = 1.0


def describe_mask(
    mask: Mask, labels: tuple[str, ...], colors: tuple[Color, ...], form: MaskForm
) -> dict[str, Any]:
    """Return size, classes and geometry of a mask, ready to be written as JSON.

    Classes that are nowhere are left out; the one with most pixels comes first.
    Raises: TooLarge if the outlines are too ragged for polygons.
    """
    height, width = mask.shape
    pixels = np.bincount(mask.reshape(-1), minlength=len(labels))
    order = (-pixels).argsort(kind="stable")
    corners = _Budget(_MOST_CORNERS)
    classes = [
        {
            "class_index": int(class_index),
            "label": labels[class_index],
            "color": colors[class_index],
            "pixels": int(pixels[class_index]),
            "share": float(pixels[class_index] / mask.size),
            **_geometry(mask == class_index, form, corners),
        }
        for class_index in order
        if pixels[class_index]
    ]
    described = {"height": height, "width": width, "classes": classes}
    if form.format == "png":
        described["png"] = base64.b64encode(encode_palette_png(mask, colors)).decode()
    return described


@dataclass
class _Budget:
    """How many corners all polygons of an answer may still have."""

    left: int


def _geometry(inside: NDArray[np.bool_], form: MaskForm, corners: _Budget) -> dict[str, Any]:
    if form.format == "rle":
        return {"rle": encode_rle(inside)}
    if form.format == "polygons":
        found = trace_polygons(inside, form.tolerance_px, corners.left)
        corners.left -= sum(len(ring) for polygon in found["coordinates"] for ring in polygon)
        return {"polygons": found}
    return {}
