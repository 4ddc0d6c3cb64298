"""A net that learns a class for every pixel."""

import torch
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

from training.data.warp import VOID
from training.losses import class_weights, dice_loss, pixel_counts, pixel_cross_entropy
from training.module import PictureModule
from training.recipe import ImageRecipe


class Segmenter(PictureModule):
    """Learns masks, (N, H, W) int64 class indices, VOID where nothing is to be learnt.

    pixels: (classes,) training pixels of each class.
    """

    figures = ("validation_miou", "validation_accuracy")

    def __init__(
        self, net: nn.Module, pixels: Tensor, recipe: ImageRecipe, total_steps: int
    ) -> None:
        super().__init__(net, recipe, total_steps)
        self.loss = recipe.loss
        weight = class_weights(pixels, recipe.loss.rare_class_power)
        self.register_buffer("class_weight", weight, persistent=False)
        self.class_weight: Tensor
        self.miou = MulticlassJaccardIndex(len(pixels), ignore_index=VOID)
        self.accuracy = MulticlassAccuracy(len(pixels), average="micro", ignore_index=VOID)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Return the loss: cross-entropy, and Dice if the recipe wants it."""
        images, masks = batch
        logits = self(images).float()
        loss = pixel_cross_entropy(logits, masks, self.class_weight, self.recipe.label_smoothing)
        if self.loss.dice:
            loss = loss + self.loss.dice * dice_loss(logits, masks)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Count mean IoU, accuracy and plain cross-entropy over all pixels that are not void."""
        images, masks = batch
        logits = self(images).float()
        chosen = logits.argmax(1)
        for name, metric in (("miou", self.miou), ("accuracy", self.accuracy)):
            metric.update(chosen, masks)
            self.log(f"validation_{name}", metric, prog_bar=True)
        counted = int(pixel_counts(masks, logits.shape[1]).sum())
        loss = pixel_cross_entropy(logits, masks)
        # a mean over pixels, so that a batch with much void counts for less
        self.log("validation_loss", loss, sync_dist=True, batch_size=max(1, counted))

    @staticmethod
    def pixels_of(masks: Tensor, classes: int) -> Tensor:
        """Return how many pixels of the masks (N, H, W) uint8 each class has."""
        # one mask at a time: all of them as int64 would take eight times their memory
        return torch.stack([pixel_counts(mask, classes) for mask in masks]).sum(0)
