"""Score-CAM: how sure the model is of the class when it sees only what a channel looks at."""

import numpy as np

from service.tasks.reasons.grid import Grid
from service.tasks.reasons.portions import Portions
from service.tasks.reasons.weighing import ROUNDING, Maps, Steps, Weighed, strongest, weigh
from service.tasks.reasons.whole import Hiding


def score_cam(hiding: Hiding, maps: Maps, grid: Grid, portions: Portions) -> Steps[Weighed]:
    """Return the sum of the channels, each with what seeing through it adds to the probability.

    maps: (C, H, W), whose cells lie in the input as the grid says. Each is stretched to 0..1 and
        laid over the input as a mask; of a sound its mean over the bands, since only moments of a
        waveform can be hidden. The weight is the probability then, less that of nothing at all.
    If there are many channels, those whose values differ most are taken.
    Source: Wang et al., Score-CAM, CVPR workshops 2020.
    """
    height, width = hiding.size
    masks = maps.astype(np.float32)
    if height == 1:
        masks = masks.mean(axis=1, keepdims=True)
    low = masks.min(axis=(1, 2), keepdims=True)
    reach = masks.max(axis=(1, 2), keepdims=True) - low
    chosen = strongest(reach[:, 0, 0], portions.most)
    nothing = hiding.probabilities(np.zeros((1, height, width), np.float32))[0]
    rows, columns = np.arange(height) + 0.5, np.arange(width) + 0.5
    gains = np.zeros(len(maps))
    for portion in portions.of(chosen):
        shown = (masks[portion] - low[portion]) / reach[portion]
        gains[portion] = hiding.probabilities(grid.sample(shown, rows, columns)) - nothing
        yield
    gains[np.abs(gains) < ROUNDING] = 0
    flat = int((reach == 0).sum())
    return weigh(maps, gains, len(chosen) + flat)
