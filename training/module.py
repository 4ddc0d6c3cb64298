"""What Lightning trains: a net with its loss, optimiser and schedule."""

from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics.classification import MulticlassAccuracy

from training.deployed import Normalise
from training.recipe import ImageRecipe, Recipe


class NetModule(lightning.LightningModule):
    """A net with the recipe's optimiser.

    figures: what is logged of the validation beside its loss.
    """

    figures: tuple[str, ...]

    def __init__(self, net: nn.Module, recipe: Recipe, total_steps: int) -> None:
        super().__init__()
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.recipe = recipe.training
        self.total_steps = total_steps

    def configure_optimizers(self) -> Any:
        """Return Nesterov SGD with a warm-up and a fall to zero, stepped every batch."""
        weights = [p for p in self.net.parameters() if p.ndim > 1]
        biases = [p for p in self.net.parameters() if p.ndim <= 1]
        optimizer = torch.optim.SGD(
            # biases and normalisation scales are not decayed, as in most strong recipes
            [{"params": weights}, {"params": biases, "weight_decay": 0.0}],
            lr=self.recipe.learning_rate,
            momentum=self.recipe.momentum,
            weight_decay=self.recipe.weight_decay,
            nesterov=self.recipe.momentum > 0,
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=self.recipe.learning_rate,
            total_steps=self.total_steps,
            pct_start=self.recipe.warmup_share,
            anneal_strategy="cos" if self.recipe.schedule == "cosine" else "linear",
            cycle_momentum=False,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class PictureModule(NetModule):
    """A net of pictures, which come as (N, C, H, W) float32 in 0..1."""

    def __init__(self, net: nn.Module, recipe: ImageRecipe, total_steps: int) -> None:
        super().__init__(net, recipe, total_steps)
        self.normalise = Normalise(recipe.data)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, classes, ...); channels last makes convolutions fast."""
        normalised = self.normalise(images)
        return self.net(normalised.contiguous(memory_format=torch.channels_last))


def class_weights_of(counts: Tensor, recipe: Recipe) -> Tensor | None:
    """Return what each class weighs in a classifier's loss, (classes,); None for all the same.

    counts: (classes,) training examples of each class.
    """
    balanced = recipe.training.balance_classes
    return counts.sum() / (len(counts) * counts) if balanced else None


class Classifier(PictureModule):
    """Learns one class a picture.

    counts: (classes,) training pictures of each class.
    """

    figures = ("validation_accuracy",)

    def __init__(
        self, net: nn.Module, counts: Tensor, recipe: ImageRecipe, total_steps: int
    ) -> None:
        super().__init__(net, recipe, total_steps)
        self.register_buffer("class_weight", class_weights_of(counts, recipe), persistent=False)
        self.accuracy = MulticlassAccuracy(len(counts), average="micro")

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Return the loss; targets are shares of classes, (N, classes)."""
        images, targets = batch
        logits = self(images)
        loss = functional.cross_entropy(
            logits.float(),
            targets,
            weight=self.class_weight,
            label_smoothing=self.recipe.label_smoothing,
        )
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Count accuracy and loss over whole labels, (N,)."""
        images, labels = batch
        logits = self(images).float()
        self.accuracy(logits, labels)
        self.log("validation_accuracy", self.accuracy, prog_bar=True)
        loss = functional.cross_entropy(logits, labels)
        self.log("validation_loss", loss, sync_dist=True, batch_size=len(labels))
