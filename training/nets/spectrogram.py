"""A net on the log-mel spectrogram of a waveform, which it computes itself."""

from typing import Any

import torch
from torch import Tensor, nn

from training.nets.log_mel import LogMel
from training.nets.resnet import ResNet
from training.nets.vgg import VGG


class Level(nn.Module):
    """Takes each spectrogram's mean away, and scales: loud and quiet become alike.

    (N, 1, mels, frames) to the same; of silence, zeros.
    """

    # the usual spread of natural logarithms of band powers within a few seconds of music
    SCALE = 1 / 3

    def forward(self, log_mel: Tensor) -> Tensor:
        return (log_mel - log_mel.mean((2, 3), keepdim=True)) * self.SCALE


class BandNorm(nn.BatchNorm1d):
    """Batch normalisation of each band by itself: (N, 1, mels, frames) to the same."""

    def forward(self, spectrogram: Tensor) -> Tensor:
        return super().forward(spectrogram.squeeze(1)).unsqueeze(1)


class SpectrogramNet(nn.Module):
    """Waveforms (N, samples) to logits (N, classes): `LogMel`, then a net of one channel.

    log_mel: further options of `LogMel`.
    resnet, vgg: the options of the net that looks at the spectrogram, a `ResNet` unless those of
        a `VGG` are given.
    band_norm: normalise each band over the training sounds; without it low ones, which are
        louder, weigh more.
    in_channels: sounds have one, there is no choice.
    Raises: ValueError if both nets are asked for.
    """

    def __init__(
        self,
        classes: int,
        in_channels: int = 1,
        *,
        sample_rate_hz: int,
        log_mel: dict[str, Any] | None = None,
        resnet: dict[str, Any] | None = None,
        vgg: dict[str, Any] | None = None,
        band_norm: bool = False,
    ) -> None:
        super().__init__()
        if resnet is not None and vgg is not None:
            raise ValueError("one net looks at the spectrogram: give resnet or vgg")
        self.log_mel = LogMel(sample_rate_hz, **(log_mel or {}))
        self.level = Level()
        self.bands = BandNorm(len(self.log_mel.filters)) if band_norm else None
        self.resnet = None if vgg is not None else ResNet(classes, in_channels, **(resnet or {}))
        self.vgg = None if vgg is None else VGG(classes, in_channels, **vgg)

    def forward(self, waveforms: Tensor) -> Tensor:
        return self.classify(self.spectrogram(waveforms))

    def spectrogram(self, waveforms: Tensor) -> Tensor:
        """Return (N, 1, mels, frames) float32, levelled."""
        return self.level(self.log_mel(waveforms))

    def classify(self, spectrogram: Tensor) -> Tensor:
        """Return logits (N, classes) of what `spectrogram` gives."""
        if self.bands is not None:
            spectrogram = self.bands(spectrogram)
        # of the two nets there is one
        look = self.resnet if self.vgg is None else self.vgg
        return look(spectrogram.contiguous(memory_format=torch.channels_last))
