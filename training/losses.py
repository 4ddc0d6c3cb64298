"""What a segmenter is trained to lower: cross-entropy over pixels, and overlap."""

import torch
from torch import Tensor
from torch.nn import functional

from training.data.warp import VOID


def class_weights(pixels: Tensor, power: float) -> Tensor:
    """Return the weight of each class, (classes,) float32.

    pixels: (classes,) training pixels of each class.
    power: a class weighs (its share)^-power, scaled so that the average pixel weighs 1; a
        class without pixels weighs nothing.

    >>> class_weights(torch.tensor([300, 100, 0]), 1.0)
    tensor([0.6667, 2.0000, 0.0000])
    """
    share = pixels.double() / pixels.sum().clamp(min=1)
    weight = torch.where(share > 0, share.clamp(min=1e-12) ** -power, 0)
    return (weight / (weight * share).sum().clamp(min=1e-12)).float()


def pixel_cross_entropy(
    logits: Tensor, masks: Tensor, weight: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """Return the weighted mean over all pixels that are not VOID; 0 where all are.

    logits: (N, classes, H, W) float32; masks: (N, H, W) int64; weight: (classes,) float32.
    """
    total = functional.cross_entropy(
        logits,
        masks,
        weight=weight,
        ignore_index=VOID,
        label_smoothing=label_smoothing,
        reduction="sum",
    )
    counts = pixel_counts(masks, logits.shape[1])
    divisor = counts.sum() if weight is None else (counts * weight).sum()
    return total / divisor.clamp(min=1e-12)


def dice_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Return one minus the soft Dice overlap, averaged over the classes in the batch's masks.

    Shapes as in `pixel_cross_entropy`. Source: Milletari et al., arXiv:1606.04797, with sums
    over the whole batch, since a small piece of a picture lacks most classes.
    """
    classes = logits.shape[1]
    known = masks != VOID
    truth = masks.where(known, 0)
    probabilities = logits.softmax(1) * known.unsqueeze(1)
    right = probabilities.gather(1, truth.unsqueeze(1)).flatten()
    overlap = logits.new_zeros(classes).index_add(0, truth.flatten(), right)
    there = pixel_counts(masks, classes)
    dice = 2 * overlap / (probabilities.sum((0, 2, 3)) + there).clamp(min=1e-6)
    seen = there > 0
    return ((1 - dice) * seen).sum() / seen.sum().clamp(min=1)


def pixel_counts(masks: Tensor, classes: int) -> Tensor:
    """Return how many pixels each class has, (classes,) int64; VOID is not counted."""
    return torch.bincount(masks.flatten().long(), minlength=VOID + 1)[:classes]
