"""The lecture's silence neuron: two filters set by hand, and nothing that was trained."""

import torch
from torch import Tensor, nn


class Rectify(nn.Module):
    """A wave's distance from zero: (N, samples) to (N, 1, samples)."""

    def forward(self, waveforms: Tensor) -> Tensor:
        return waveforms.abs().unsqueeze(1)


class Against(nn.Module):
    """Logits of two classes, (N, 2, frames), from what speaks for the second, (N, 1, frames)."""

    def forward(self, evidence: Tensor) -> Tensor:
        return torch.cat([-evidence, evidence], dim=1)


class SilenceNet(nn.Module):
    """Waveforms (N, samples) to logits (N, 2, frames) of sound and of silence.

    The envelope of a frame is the mean of |wave| over `kernel` samples, one frame every `stride`.
    The neuron's weight for it is negative and its bias positive, so that it fires below
    `threshold` and is silent above.
    kernel: a power of two. Of 16 bit samples its sums are then exact in float32, at most 2^24 in
        units of one bit for 512 samples, whatever the order of the additions.
    threshold: mean of |wave|; full scale is 1.
    steepness: how sure the neuron is of digital silence: its probability there is
        1 / (1 + exp(-steepness)).
    """

    def __init__(
        self,
        classes: int,
        in_channels: int = 1,
        kernel: int = 512,
        stride: int = 160,
        threshold: float = 0.005,
        steepness: float = 4.0,
    ) -> None:
        super().__init__()
        if classes != 2 or in_channels != 1:
            raise ValueError("the silence neuron tells two classes apart, in one channel")
        self.rectify = Rectify()
        self.envelope = nn.Conv1d(1, 1, kernel, stride, bias=False)
        self.neuron = nn.Conv1d(1, 1, 1)
        self.against = Against()
        with torch.no_grad():
            self.envelope.weight.fill_(1 / kernel)
            self.neuron.weight.fill_(-steepness / 2 / threshold)
            self.neuron.bias.fill_(steepness / 2)
        self.requires_grad_(False)

    def forward(self, waveforms: Tensor) -> Tensor:
        return self.against(self.neuron(self.envelope(self.rectify(waveforms))))
