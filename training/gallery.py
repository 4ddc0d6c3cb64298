"""Pictures beside their true and their predicted masks, for people."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from service.contract.manifest import Color
from training.data.scenes import Scenes
from training.data.warp import VOID
from training.segmented import Mask, Pixels, ServedSegmenter

HEADS = ("picture", "truth", "prediction")


def draw_gallery(
    served: ServedSegmenter, scenes: Scenes, labels: Sequence[str], colors: Sequence[Color]
) -> Figure:
    """Return a figure with a row for each scene; what is void in the truth is black in both."""
    figure = Figure(figsize=(10, 2.6 * len(scenes) + 1), layout="constrained")
    grid = figure.subplots(len(scenes), len(HEADS), squeeze=False)
    for i, row in enumerate(grid):
        pixels, truth = scenes.pair(i)
        said = np.where(truth == VOID, np.uint8(VOID), served.segment(pixels))
        for axes, shown in zip(row, (pixels, *_painted((truth, said), colors)), strict=True):
            axes.imshow(shown)
            axes.set_axis_off()
    for axes, head in zip(grid[0], HEADS, strict=True):
        axes.set_title(head)
    handles = [
        Patch(color=[part / 255 for part in color], label=label)
        for label, color in zip(labels, colors, strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=6)
    return figure


def _painted(masks: Sequence[Mask], colors: Sequence[Color]) -> list[Pixels]:
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(colors)] = colors
    return [palette[mask] for mask in masks]
