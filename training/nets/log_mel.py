"""The log-mel spectrogram as a layer, so that it is part of the exported graph."""

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.nets.mel import mel_filters

# -70 dB below a sine of full scale: what is quieter counts as silence, whose logarithm is finite
FLOOR = 1e-7


class LogMel(nn.Module):
    """Waveforms (N, samples) to the logarithm of mel band powers, (N, 1, mels, frames).

    frame_samples, hop_samples: length of a frame, and from one to the next. Frames lie within
        the waveform: nothing is padded. The window is Hann's, scaled so that a sine of full
        scale has the power 1/4.
    basis: `stft` becomes ONNX's operator of that name; `conv` a convolution with sines, for
        runtimes that lack it, at the price of a larger file.
    """

    def __init__(
        self,
        sample_rate_hz: int,
        mels: int = 64,
        frame_samples: int = 1024,
        hop_samples: int = 512,
        lowest_hz: float = 40.0,
        highest_hz: float | None = None,
        basis: Literal["stft", "conv"] = "stft",
    ) -> None:
        super().__init__()
        if basis not in ("stft", "conv"):
            raise ValueError(f"no basis {basis!r}; there are stft, conv")
        highest = highest_hz or sample_rate_hz / 2
        filters = mel_filters(mels, frame_samples, sample_rate_hz, lowest_hz, highest)
        self.frame_samples, self.hop_samples, self.basis = frame_samples, hop_samples, basis
        # not in checkpoints: the options say all of it
        self.register_buffer("filters", torch.from_numpy(filters).float(), persistent=False)
        weight = _sines(frame_samples) if basis == "conv" else _hann(frame_samples)
        self.register_buffer("weight", torch.from_numpy(weight).float(), persistent=False)
        self.filters: Tensor
        self.weight: Tensor

    def forward(self, waveforms: Tensor) -> Tensor:
        if torch.is_autocast_enabled(waveforms.device.type):
            # in bfloat16 a spectrum would be off by whole decibels
            with torch.autocast(waveforms.device.type, enabled=False):
                return self._log_mel(waveforms.float())
        return self._log_mel(waveforms)

    def _log_mel(self, waveforms: Tensor) -> Tensor:
        by_conv = self.basis == "conv"
        powers = self._powers_by_conv(waveforms) if by_conv else self._powers(waveforms)
        bands = (self.filters @ powers).unsqueeze(1)
        return torch.log(bands + FLOOR)

    def _powers(self, waveforms: Tensor) -> Tensor:
        """Return (N, frequencies, frames)."""
        spectrum = torch.stft(
            waveforms,
            self.frame_samples,
            self.hop_samples,
            window=self.weight,
            center=False,
            return_complex=True,
        )
        return torch.view_as_real(spectrum).square().sum(-1)

    def _powers_by_conv(self, waveforms: Tensor) -> Tensor:
        parts = functional.conv1d(waveforms.unsqueeze(1), self.weight, stride=self.hop_samples)
        real, imaginary = parts.square().chunk(2, dim=1)
        return real + imaginary


def _hann(samples: int) -> np.ndarray:
    window = 0.5 - 0.5 * np.cos(2 * math.pi * np.arange(samples) / samples)
    return window / window.sum()


def _sines(samples: int) -> np.ndarray:
    """Return cosines, then negative sines, under the window: (2 * frequencies, 1, samples)."""
    # whole turns are taken off first, so that the angles keep all their digits
    turns = np.outer(np.arange(samples // 2 + 1), np.arange(samples)) % samples
    angles = 2 * math.pi * turns / samples
    return (np.concatenate([np.cos(angles), -np.sin(angles)]) * _hann(samples))[:, None]
