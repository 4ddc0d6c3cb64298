"""A residual net on the raw waveform: convolution in one dimension, from the first layer on."""

from collections.abc import Sequence

from torch import Tensor, nn

from training.nets.blocks import initialise


class ConvNorm1d(nn.Sequential):
    """Convolution without bias, batch normalisation, and ReLU unless `act=False`."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, act: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(
            in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False
        )
        self.norm = nn.BatchNorm1d(out_channels)
        if act:
            self.relu = nn.ReLU()


class ResidualBlock1d(nn.Module):
    """Max pooling, then two convolutions of three cells around a shortcut.

    The pooling keeps every `pool`-th cell, and so does what passes the shortcut.
    """

    def __init__(self, in_channels: int, out_channels: int, pool: int = 1) -> None:
        super().__init__()
        self.pool = nn.MaxPool1d(pool) if pool > 1 else nn.Identity()
        self.conv1 = ConvNorm1d(in_channels, out_channels, 3)
        self.conv2 = ConvNorm1d(out_channels, out_channels, 3, act=False)
        same = in_channels == out_channels
        self.shortcut = (
            nn.Identity() if same else ConvNorm1d(in_channels, out_channels, 1, act=False)
        )
        self.relu = nn.ReLU()

    def forward(self, features: Tensor) -> Tensor:
        features = self.pool(features)
        return self.relu(self.conv2(self.conv1(features)) + self.shortcut(features))


class MeanOverTime(nn.Module):
    """(N, C, frames) to (N, C)."""

    def forward(self, features: Tensor) -> Tensor:
        return features.mean(2)


class WaveformNet(nn.Module):
    """Waveforms (N, samples) to logits (N, classes); the filters are learnt, nothing is given.

    A strided convolution slides over the samples, as the lecture has it; then blocks that each
    see fewer and longer steps, in the manner of Dai et al., arXiv:1610.00087.
    kernel, stride: of the first layer, in samples.
    widths: channels of each stage; the first layer has those of the first stage.
    depths: blocks of each stage, of which the first one pools `pool` cells to one.
    """

    def __init__(
        self,
        classes: int,
        in_channels: int = 1,
        widths: Sequence[int] = (64, 96, 128, 192),
        depths: Sequence[int] = (1, 1, 1, 1),
        kernel: int = 64,
        stride: int = 16,
        pool: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.stem = ConvNorm1d(in_channels, widths[0], kernel, stride)
        self.stages: list[str] = []
        channels = widths[0]
        for number, (width, depth) in enumerate(zip(widths, depths, strict=True), start=1):
            first = ResidualBlock1d(channels, width, pool)
            rest = [ResidualBlock1d(width, width) for _ in range(depth - 1)]
            self.stages.append(f"layer{number}")
            self.add_module(f"layer{number}", nn.Sequential(first, *rest))
            channels = width
        self.pool = MeanOverTime()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, classes)
        initialise(self)

    def forward(self, waveforms: Tensor) -> Tensor:
        features = self.stem(waveforms.unsqueeze(1))
        for stage in self.stages:
            features = self.get_submodule(stage)(features)
        return self.fc(self.dropout(self.pool(features)))
