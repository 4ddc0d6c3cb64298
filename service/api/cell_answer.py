"""What one cell of a layer holds and sees, written out or drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from service.api.item import Item
from service.api.map_schemas import BoxOut, CellOut, HeardOut
from service.contract.manifest import audio_spec, image_spec
from service.tasks.catalog import Listening
from service.tasks.cell import Heard, Seen, heard_in_sound, seen_in_picture, values_at
from service.tasks.cell_picture import render_heard, render_seen
from service.tasks.feature_map import FeatureMap


@dataclass(frozen=True)
class LookedAtCell:
    """A cell of what a layer made of a picture or a sound. index: (row, column) or (index,)."""

    item: Item
    found: FeatureMap
    index: tuple[int, ...]

    def values(self, channels: Sequence[int]) -> NDArray[np.float32]:
        """Return its values in those channels."""
        return values_at(self.found.values, self.index)[list(channels)]

    def describe(self, channels: Sequence[int]) -> CellOut:
        """Return what is told of it as JSON."""
        values = [value if isfinite(value) else None for value in self.values(channels).tolist()]
        if self.item.window is not None:
            heard = self._heard()
            span = heard.seconds and HeardOut(start_s=heard.seconds[0], end_s=heard.seconds[1])
            return CellOut(index=list(self.index), values=values, box=span, clipped=heard.clipped)
        seen = self._seen()
        box = seen.box and BoxOut(**seen.box._asdict())
        return CellOut(index=list(self.index), values=values, box=box, clipped=seen.clipped)

    def draw(self) -> bytes:
        """Return a PNG of the picture or the sound with what the cell sees."""
        title = f"{self.found.tap.name}, cell {', '.join(map(str, self.index))}"
        if self.item.window is not None:
            heard, spec = self._heard(), audio_spec(self.item.model.manifest)
            return render_heard(self.item.window, heard, spec, title, _spell_heard(heard))
        assert not isinstance(self.item.model.answering, Listening)  # it has no window
        picture, seen = self.item.model.answering.task.picture(self.item.file), self._seen()
        return render_seen(picture, seen, title, _spell_seen(seen))

    def _seen(self) -> Seen:
        model = self.item.model
        assert not isinstance(model.answering, Listening)  # it has no window
        size = model.answering.task.picture_size(self.item.file)
        row = model.features.row(self.found.tap)
        return seen_in_picture(row, self.index, size, image_spec(model.manifest))

    def _heard(self) -> Heard:
        model, window = self.item.model, self.item.window
        assert window is not None
        row = model.features.row(self.found.tap)
        return heard_in_sound(row, self.index, window, audio_spec(model.manifest))


def _spell_seen(seen: Seen) -> str:
    if seen.box is None:
        return "it sees nothing but padding" if seen.clipped else "its place cannot be told"
    left, top, right, bottom = (f"{side:.4g}" for side in seen.box)
    told = f"it sees x from {left} to {right}, y from {top} to {bottom}"
    return f"{told}, where the picture ends" if seen.clipped else told


def _spell_heard(heard: Heard) -> str:
    if heard.seconds is None:
        return "it hears nothing of the sound" if heard.clipped else "its place cannot be told"
    first, last = heard.seconds
    return f"it hears {first:.4g} s to {last:.4g} s"
