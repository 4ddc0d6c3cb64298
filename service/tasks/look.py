"""How the channels of a layer are to be drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.tasks.colors import Colormap, ColorScale, fit_colormap, fit_range

Shared = Literal["shared", "channel"]


@dataclass(frozen=True)
class Look:
    """What a picture of channels is to look like.

    scale: `shared` gives a value one colour in all channels, `channel` gives each channel all
        colours.
    zoom: screen pixels per cell, of maps that are drawn as tiles; None for what is comfortable.
    """

    scale: Shared = "shared"
    colormap: Colormap = "auto"
    zoom: int | None = None

    def scales(
        self, chosen: NDArray[np.float32], zero_is_nothing_special: bool = False
    ) -> list[ColorScale]:
        """Return the scale of all channels, or one for each.

        chosen: the channels that are drawn, (count, ...).
        """
        parts: Sequence[NDArray[np.float32]] = [chosen] if self.scale == "shared" else list(chosen)
        if self.colormap == "auto" and zero_is_nothing_special:
            return [fit_range(part) for part in parts]
        return [fit_colormap(part, self.colormap) for part in parts]

    def captions(self, channels: Sequence[int], scales: Sequence[ColorScale]) -> list[str]:
        """Return what stands above each channel: its number, and its scale if that is its own."""
        if self.scale == "shared" or len(channels) > _MOST_SPELLED:
            return [str(channel) for channel in channels]
        return [
            f"{channel}: {scale.low:.3g} to {scale.high:.3g}"
            for channel, scale in zip(channels, scales, strict=True)
        ]

    @property
    def fact(self) -> str:
        """What is to be said of it, if anything."""
        return "" if self.scale == "shared" else "each channel in all colours"


# Of more, the numbers would need more room than the channels.
_MOST_SPELLED = 128
AS_USUAL = Look()
