"""Ablation-CAM: how much the score falls when a channel is silenced."""

import numpy as np

from service.tasks.reasons.halves import Halfway
from service.tasks.reasons.portions import Portions
from service.tasks.reasons.target import Target
from service.tasks.reasons.weighing import ROUNDING, Maps, Steps, Weighed, strongest, weigh


def ablation_cam(
    halfway: Halfway, maps: Maps, target: Target, portions: Portions
) -> Steps[Weighed]:
    """Return the sum of the channels, each with the share of the score that goes with it.

    maps: (C, H, W), those of `halfway` with two axes.
    The weight is (y - y_k) / |y|, of the score y and that without channel k. The size of y is
    taken, which the paper has no need of: a score below zero would turn the map over.
    Channels that are silent already are not run; if others are too many, the strongest are.
    Source: Ramaswamy and Desai, Ablation-CAM, WACV 2020.
    """
    own = halfway.maps
    score = target.of(halfway.scores(own[None]))[0]
    loud = np.abs(own.astype(np.float32)).reshape(len(own), -1).mean(axis=1)
    chosen = strongest(loud, portions.most)
    falls = np.zeros(len(own))
    for portion in portions.of(chosen):
        silenced = np.repeat(own[None], len(portion), axis=0)
        silenced[np.arange(len(portion)), portion] = 0
        falls[portion] = score - target.of(halfway.scores(silenced))
        yield
    falls[np.abs(falls) < ROUNDING * abs(score)] = 0
    silent = int((loud == 0).sum())
    return weigh(maps, falls / (abs(score) or 1.0), len(chosen) + silent)
