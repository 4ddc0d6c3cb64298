"""Score-CAM: how sure the model is of the class when it sees only what a channel looks at."""

import numpy as np

from service.tasks.reasons.grid import Grid
from service.tasks.reasons.portions import Portions
from service.tasks.reasons.weighing import Maps, Steps, Weighed, strongest, weigh
from service.tasks.reasons.whole import Hiding


def score_cam(hiding: Hiding, maps: Maps, grid: Grid, portions: Portions) -> Steps[Weighed]:
    """Return the sum of the channels, each with the probability that is left seen through it.

    maps: (C, H, W), whose cells lie in the input as the grid says. Each is stretched to 0..1 and
        laid over the input as a mask; of a sound its mean over the bands, since only moments of a
        waveform can be hidden.
    If there are many channels, those whose values differ most are taken. As in the code of its
    authors, the probability of nothing at all is not taken away, which their text does: where
    that is high, all weights would be below zero.
    Source: Wang et al., Score-CAM, CVPR workshops 2020.
    """
    height, width = hiding.size
    masks = maps.astype(np.float32)
    if height == 1:
        masks = masks.mean(axis=1, keepdims=True)
    low = masks.min(axis=(1, 2), keepdims=True)
    reach = masks.max(axis=(1, 2), keepdims=True) - low
    broken = ~np.isfinite(reach[:, 0, 0])  # of which no mask can be made
    chosen = strongest(np.where(broken, 0, reach[:, 0, 0]), portions.most)
    rows, columns = np.arange(height) + 0.5, np.arange(width) + 0.5
    weights = np.where(broken, np.nan, 0.0)
    for portion in portions.of(chosen):
        shown = (masks[portion] - low[portion]) / reach[portion]
        weights[portion] = hiding.probabilities(grid.sample(shown, rows, columns))
        yield
    flat = int((reach == 0).sum())
    return weigh(maps, weights, len(chosen) + flat)
