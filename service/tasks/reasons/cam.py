"""Class activation maps, for heads of global average pooling and a linear layer."""

from service.tasks.reasons.weighing import Maps, Weighed, Weights, weigh


def cam(maps: Maps, weights: Weights) -> Weighed:
    """Return the map whose mean over all cells is the class's score, but for a constant.

    maps: (C, H, W), those that are pooled.
    weights: (C,), of the class.
    It is what Grad-CAM gives there, times the number of cells.
    Source: Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016.
    """
    return weigh(maps, weights, len(weights))
