"""A net that measures a tempo: when strokes come, how often they repeat, and which is the beat."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.nets.blocks import ConvNorm, initialise
from training.nets.log_mel import LogMel
from training.nets.waveform import ConvNorm1d

BINS_PER_OCTAVE = 24
OCTAVES_BELOW, OCTAVES_ABOVE = 1.0, 3.0  # of the range that can be answered: bars, and sixteenths


class Tempogram(nn.Module):
    """How strongly curves repeat at each of many rates: (N, C, frames) to (N, C, rates).

    The magnitudes of a Fourier transform at rates that are evenly spaced on a logarithmic scale, in
    which another tempo of the same rhythm is the same picture moved. Divided by their mean over
    all channels, so that loud and quiet are alike.
    rates_hz: in rising order.
    """

    def __init__(self, frames: int, frames_per_second: float, rates_hz: np.ndarray) -> None:
        super().__init__()
        time = np.arange(frames) / frames_per_second
        window = np.hanning(frames + 2)[1:-1]
        angles = 2 * math.pi * np.outer(time, rates_hz)
        waves = np.concatenate([np.cos(angles), np.sin(angles)], axis=1) * window[:, None]
        waves -= waves.mean(0)  # so that what never changes does not show
        # not in checkpoints: the options say all of it
        self.register_buffer("waves", torch.from_numpy(waves).float(), persistent=False)
        self.waves: Tensor

    def forward(self, curves: Tensor) -> Tensor:
        cosines, sines = (curves @ self.waves).chunk(2, dim=2)
        magnitudes = torch.sqrt(cosines.square() + sines.square() + 1e-8)
        return magnitudes / (magnitudes.mean((1, 2), keepdim=True) + 1e-3)


class Expectation(nn.Module):
    """Logits of rates, (N, rates), to one rate, (N, 1): the mean on the logarithmic scale.

    The logits are multiplied by SHARPNESS before, so that of two guesses an octave apart the
    likelier one is answered and not the mean, which would be wrong in any case.
    rates: what is answered if one of them has all the probability.
    """

    SHARPNESS = 8.0

    def __init__(self, rates: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("log_rates", torch.from_numpy(np.log(rates)).float(), persistent=False)
        self.log_rates: Tensor

    def forward(self, logits: Tensor) -> Tensor:
        shares = (logits * self.SHARPNESS).softmax(1)
        return torch.exp(shares @ self.log_rates.unsqueeze(1))

    def targets(self, rates: Tensor, deviation: float) -> Tensor:
        """Return the probabilities (N, rates) to be learnt of true rates (N,).

        A bell around each, with a standard deviation of so many steps of the scale.
        """
        step = self.log_rates[1] - self.log_rates[0]
        distance = (rates.float().log().unsqueeze(1) - self.log_rates) / step
        return (-0.5 * (distance / deviation).square()).softmax(1)


class TempogramNet(nn.Module):
    """Waveforms (N, samples) to tempi (N, 1) in beats per minute.

    Convolutions over a log-mel spectrogram find strokes and add them up to `curves` curves over
    time; a `Tempogram` tells how often these repeat; convolutions along its logarithmic rates,
    which are the same at every tempo, find the beat among bars, halves and quarters.
    lowest_bpm, highest_bpm: what can be answered.
    kernel: of the convolutions along the rates; 24 are an octave.
    """

    def __init__(
        self,
        classes: int,
        in_channels: int = 1,
        *,
        sample_rate_hz: int,
        window_s: float,
        lowest_bpm: float = 57.0,
        highest_bpm: float = 210.0,
        log_mel: dict[str, Any] | None = None,
        strokes: int = 8,
        curves: int = 16,
        widths: Sequence[int] = (32, 32),
        kernel: int = 49,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if classes != 1 or in_channels != 1:
            raise ValueError("this net measures one quantity, a tempo, of one channel")
        self.log_mel = LogMel(sample_rate_hz, **(log_mel or {}))
        bands, samples = len(self.log_mel.filters), round(window_s * sample_rate_hz)
        frames = (samples - self.log_mel.frame_samples) // self.log_mel.hop_samples + 1
        self.strokes = nn.Sequential(ConvNorm(1, strokes), ConvNorm(strokes, strokes))
        self.curves = nn.Conv2d(strokes, curves, (bands, 1))
        self.bound = nn.ReLU6()
        answered = math.ceil(math.log2(highest_bpm / lowest_bpm) * BINS_PER_OCTAVE) + 1
        below, above = (round(o * BINS_PER_OCTAVE) for o in (OCTAVES_BELOW, OCTAVES_ABOVE))
        place = np.arange(-below, answered + above) / BINS_PER_OCTAVE
        self.first, self.answered = below, answered
        rates = lowest_bpm * 2**place
        per_second = sample_rate_hz / self.log_mel.hop_samples
        self.tempogram = Tempogram(frames, per_second, rates / 60)
        channels = (curves, *widths)
        self.rates = nn.Sequential(*(ConvNorm1d(a, b, kernel) for a, b in pairwise(channels)))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv1d(channels[-1], 1, 1)
        self.expectation = Expectation(rates[below : below + answered])
        initialise(self)

    def forward(self, waveforms: Tensor) -> Tensor:
        return self.expectation(self.scores(waveforms))

    def scores(self, waveforms: Tensor) -> Tensor:
        """Return logits (N, rates) of the tempi that can be answered."""
        curves = self.bound(self.curves(self.strokes(self.log_mel(waveforms)))).squeeze(2)
        found = self.head(self.dropout(self.rates(self.tempogram(curves))))
        return found[:, 0, self.first : self.first + self.answered]
