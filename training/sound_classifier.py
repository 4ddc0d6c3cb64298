"""A net that learns one class a sound."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics.classification import MulticlassAccuracy

from training.data.spectrogram_masks import mask_spectrograms
from training.module import NetModule, class_weights_of
from training.nets.spectrogram import SpectrogramNet
from training.recipe import SoundRecipe


class SoundClassifier(NetModule):
    """Learns from windows, (N, samples) float32; is judged by the mean of a sound's logits.

    counts: (classes,) training sounds of each class.
    """

    figures = ("validation_accuracy",)

    def __init__(
        self, net: nn.Module, counts: Tensor, recipe: SoundRecipe, total_steps: int
    ) -> None:
        super().__init__(net, recipe, total_steps)
        self.augment = recipe.augment
        self.register_buffer("class_weight", class_weights_of(counts, recipe), persistent=False)
        self.accuracy = MulticlassAccuracy(len(counts), average="micro")

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return logits (N, classes); in training, of spectrograms with stretches blanked."""
        if self.training and self.augment.masks and isinstance(self.net, SpectrogramNet):
            whole = self.net.spectrogram(waveforms)
            return self.net.classify(mask_spectrograms(whole, self.augment))
        return self.net(waveforms)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Return the loss; targets are shares of classes, (N, classes)."""
        waveforms, targets = batch
        loss = functional.cross_entropy(
            self(waveforms).float(),
            targets,
            weight=self.class_weight,
            label_smoothing=self.recipe.label_smoothing,
        )
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Count accuracy and loss over whole sounds; see `HeldOutSounds` for the batch."""
        windows, (owners, labels_of_windows) = batch[0], batch[1].unbind(1)
        logits, labels = mean_of_windows(self(windows).float(), owners, labels_of_windows)
        self.accuracy(logits, labels)
        self.log("validation_accuracy", self.accuracy, prog_bar=True)
        loss = functional.cross_entropy(logits, labels)
        self.log("validation_loss", loss, sync_dist=True, batch_size=len(labels))


def mean_of_windows(logits: Tensor, owners: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean logits (S, classes) of each of S sounds, and their labels (S,).

    logits: (W, classes); owners: (W,) the number of each window's sound; labels: (W,) its label.
    """
    sounds, first = int(owners.max()) + 1, owners.new_zeros(int(owners.max()) + 1)
    first.scatter_(0, owners, labels)
    windows = torch.bincount(owners, minlength=sounds).unsqueeze(1)
    return logits.new_zeros(sounds, logits.shape[1]).index_add(0, owners, logits) / windows, first
