"""One cell of a feature map: its values, and what of the picture or the sound it sees."""

import re
from dataclasses import dataclass
from operator import lt

import numpy as np
from numpy.typing import NDArray

from service.contract.box import Box, box_in_picture, shown_part
from service.contract.errors import InvalidParameter
from service.contract.frame import Size
from service.contract.specs import AudioPreprocessing, ImagePreprocessing
from service.graph.layers import Layer
from service.tasks.sound_window import SoundWindow

_INDEX = re.compile(r"\s*\d{1,9}\s*(,\s*\d{1,9}\s*)?")


@dataclass(frozen=True)
class Seen:
    """What a cell sees of a picture.

    box: in pixels of the picture; None if the cell has no place or sees nothing but padding.
    clipped: it would see more than there is.
    """

    box: Box | None
    clipped: bool


@dataclass(frozen=True)
class Heard:
    """What a cell sees of a sound.

    seconds: of the whole sound, from when to when; None if the cell has no place in time, or sees
        nothing but what fills the window.
    clipped: it would see more than there is.
    """

    seconds: tuple[float, float] | None
    clipped: bool


def parse_cell(spec: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the index of the cell: (row, column) of a map, (index,) of a sequence.

    spec: such as `3,4`. shape: of the layer, (C, H, W) or (C, L).
    Raises: InvalidParameter if the layer has no such cell, or none at all.
    """
    places = shape[1:]
    if not places:
        raise InvalidParameter(
            f"cell={spec[:40]!r}: this layer has no cells, only {shape[0]} numbers."
        )
    if _INDEX.fullmatch(spec):
        index = tuple(int(part) for part in spec.split(","))
        if len(index) == len(places) and all(map(lt, index, places)):
            return index
    names = ("row", "column") if len(places) == 2 else ("cell",)
    valid = " and ".join(
        f"a {name} from 0 to {size - 1}" for name, size in zip(names, places, strict=True)
    )
    example = ",".join("0" * len(places))
    raise InvalidParameter(f"cell={spec[:40]!r}: give {valid}, such as '{example}'.")


def values_at(values: NDArray[np.float32], cell: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the values of a cell, (C,), of a map (C, H, W) or (C, L)."""
    found: NDArray[np.float32] = values.reshape(len(values), -1)[
        :, np.ravel_multi_index(cell, values.shape[1:])
    ]
    return found


def seen_in_picture(
    row: Layer | None, cell: tuple[int, ...], picture: Size, spec: ImagePreprocessing
) -> Seen:
    """Return what the cell sees of a picture of that size.

    row: the layer's, if it has one.
    What all cells see alike, such as the mean that a normalisation takes away, is left out.
    """
    if row is None or row.cells is None or len(cell) != 2:
        return Seen(None, clipped=False)
    (top, bottom), (left, right) = (
        (cells.begin(index), cells.end(index)) for cells, index in zip(row.cells, cell, strict=True)
    )
    box = Box(left, top, right, bottom)
    inner, _ = shown_part(picture, spec)
    return Seen(box_in_picture(box, picture, spec), clipped=box.within(inner) != box)


def heard_in_sound(
    row: Layer | None, cell: tuple[int, ...], window: SoundWindow, spec: AudioPreprocessing
) -> Heard:
    """Return what the cell sees of the sound that the window was cut out of."""
    if row is None or row.cells is None:
        return Heard(None, clipped=False)
    samples, rate = row.cells[1], spec.sample_rate_hz
    begin, end = samples.begin(cell[-1]), samples.end(cell[-1])
    first, last = max(begin, 0), min(end, window.heard)
    seconds = ((window.start + first) / rate, (window.start + last) / rate)
    return Heard(seconds if first < last else None, clipped=(first, last) != (begin, end))
