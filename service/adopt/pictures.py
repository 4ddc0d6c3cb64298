"""What picture a graph takes: its layout, size and channels, told by the graph itself."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from service.adopt.asked import Asked
from service.adopt.findings import Finding, Sureness
from service.adopt.first_steps import FirstSteps, Layout, read_first_steps
from service.adopt.inputs import GraphInput, as_type
from service.adopt.presets import Normalisation
from service.adopt.refusal import CannotAdd
from service.contract.preprocess import Pixels

_CHANNELS = (1, 3)


@dataclass(frozen=True)
class PictureInput:
    """A picture as the graph takes it. free: whether it takes other sizes too."""

    given: GraphInput
    layout: Layout
    channels: int
    height: int
    width: int
    free: bool

    def numbers(self, pixels: Pixels, normalisation: Normalisation) -> NDArray[Any]:
        """Return what the graph is to be fed for the pixels, computed without it.

        pixels: (N, H, W, C) uint8.
        """
        values: NDArray[Any] = pixels
        if self.given.dtype != np.uint8:
            mean, std = np.array(normalisation.mean), np.array(normalisation.std)
            values = (pixels.astype(np.float64) / 255 - mean) / std
        if normalisation.reverse:
            values = values[..., ::-1]
        if self.layout == "NCHW":
            values = values.transpose(0, 3, 1, 2)
        return as_type(values, self.given.dtype)


def read_picture(
    model: onnx.ModelProto, given: GraphInput, asked: Asked
) -> tuple[PictureInput, FirstSteps, list[Finding]]:
    """Return the picture that the graph takes, and how that was found.

    Raises: CannotAdd if it takes none, or something has to be said.
    """
    if len(given.axes) != 4:
        raise CannotAdd(
            f"The input {given} has {len(given.axes)} axes; a picture has four: the batch, the "
            "channels, height and width."
        )
    steps = read_first_steps(model, given.name)
    layout, sure, because = _layout(given, steps, asked)
    last = layout == "NHWC"
    declared = given.axes[3] if last else given.axes[1]
    channels = declared or steps.channels
    if channels not in _CHANNELS:
        raise CannotAdd(
            f"The input {given} has {channels or 'any number of'} channels as {layout}; pictures "
            "have 3, or 1 if they are gray. --layout may say otherwise."
        )
    height, width, free, sized = _size(given.axes[1:3] if last else given.axes[2:4], asked)
    findings = [
        Finding("input", str(given), "certain"),
        Finding("layout", layout, sure, because),
        Finding("channels", "3, colour" if channels == 3 else "1, gray", "certain"),
        sized,
    ]
    return PictureInput(given, layout, channels, height, width, free), steps, findings


def _layout(given: GraphInput, steps: FirstSteps, asked: Asked) -> tuple[Layout, Sureness, str]:
    if asked.layout:
        return asked.layout, "told", "--layout"
    if steps.layout:
        return steps.layout, "certain", f"by the {steps.by} that reads it"
    first, last = given.axes[1] in _CHANNELS, given.axes[3] in _CHANNELS
    declared = None in (given.axes[1], given.axes[3])
    if not (first or last or declared):
        raise CannotAdd(
            f"The input {given} is no picture: neither its second nor its last axis has 3 "
            "channels, or 1 for gray."
        )
    if first == last:
        raise CannotAdd(
            f"Whether the input {given} has its channels first or last cannot be told: say "
            "--layout NCHW or --layout NHWC."
        )
    return ("NCHW" if first else "NHWC"), "likely", "by its sizes; --layout overrides"


def _size(sides: Any, asked: Asked) -> tuple[int, int, bool, Finding]:
    """Return height and width, and whether the graph takes others too."""
    height, width = sides
    if asked.size is None:
        if height is None or width is None:
            raise CannotAdd(
                "The graph takes pictures of any size: say the one it was trained on with --size, "
                "such as --size 224 or --size 180x240 (height x width)."
            )
        return height, width, False, Finding("size", f"{height}x{width} px", "certain")
    wanted = asked.size
    for side, own in zip(wanted, (height, width), strict=True):
        if own not in (None, side):
            raise CannotAdd(
                f"The graph takes pictures of {height or 'any'}x{width or 'any'} px (height x "
                f"width), not of {wanted[0]}x{wanted[1]}: --size must agree with it."
            )
    free = height is None and width is None
    found = Finding("size", f"{wanted[0]}x{wanted[1]} px", "told", "--size")
    return *wanted, free, found
