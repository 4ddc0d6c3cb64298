"""A net that learns to measure something in sounds."""

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import MeanMetric

from training.module import NetModule
from training.nets.tempogram import TempogramNet
from training.recipe import SoundRecipe
from training.regression_figures import TOLERANCE

# Standard deviation, in steps of the net's scale, of the bell that is learnt around a true value.
BELL = 1.0


class SoundMeasurer(NetModule):
    """Learns which of many values on a scale is meant, from windows (N, samples) float32.

    That is a classification whose target is a bell around the true value: where two values are
    as likely, such as a tempo and its double, a regression would learn the mean of them.
    """

    figures = ("validation_within",)
    net: TempogramNet

    def __init__(self, net: TempogramNet, recipe: SoundRecipe, total_steps: int) -> None:
        super().__init__(net, recipe, total_steps)
        self.within = MeanMetric()

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Return the loss; targets are values, (N,) float32."""
        waveforms, values = batch
        loss = self._loss(self.net.scores(waveforms), values)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Count loss and answers within the tolerance, window by window; see `HeldOutSounds`."""
        windows, values = batch[0], batch[1][:, 1].float()
        scores = self.net.scores(windows)
        ratios = self.net.expectation(scores).squeeze(1) / values
        self.within((torch.abs(ratios - 1) <= TOLERANCE).float())
        self.log("validation_within", self.within, prog_bar=True)
        loss = self._loss(scores, values)
        self.log("validation_loss", loss, sync_dist=True, batch_size=len(values))

    def _loss(self, scores: Tensor, values: Tensor) -> Tensor:
        targets = self.net.expectation.targets(values, BELL)
        return functional.cross_entropy(scores.float(), targets)
