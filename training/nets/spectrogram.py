"""A residual net on the log-mel spectrogram of a waveform, which it computes itself."""

from typing import Any

import torch
from torch import Tensor, nn

from training.nets.log_mel import LogMel
from training.nets.resnet import ResNet


class Level(nn.Module):
    """Takes each spectrogram's mean away, and scales: loud and quiet become alike.

    (N, 1, mels, frames) to the same; of silence, zeros.
    """

    # the usual spread of natural logarithms of band powers within a few seconds of music
    SCALE = 1 / 3

    def forward(self, log_mel: Tensor) -> Tensor:
        return (log_mel - log_mel.mean((2, 3), keepdim=True)) * self.SCALE


class SpectrogramNet(nn.Module):
    """Waveforms (N, samples) to logits (N, classes): `LogMel`, then a `ResNet` of one channel.

    log_mel: further options of `LogMel`; resnet: of `ResNet`.
    in_channels: sounds have one, there is no choice.
    """

    def __init__(
        self,
        classes: int,
        in_channels: int = 1,
        *,
        sample_rate_hz: int,
        log_mel: dict[str, Any] | None = None,
        resnet: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.log_mel = LogMel(sample_rate_hz, **(log_mel or {}))
        self.level = Level()
        self.resnet = ResNet(classes, in_channels, **(resnet or {}))

    def forward(self, waveforms: Tensor) -> Tensor:
        return self.classify(self.spectrogram(waveforms))

    def spectrogram(self, waveforms: Tensor) -> Tensor:
        """Return (N, 1, mels, frames) float32, levelled."""
        return self.level(self.log_mel(waveforms))

    def classify(self, spectrogram: Tensor) -> Tensor:
        """Return logits (N, classes) of what `spectrogram` gives."""
        return self.resnet(spectrogram.contiguous(memory_format=torch.channels_last))
