"""LeNet-5 as published: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Proc. IEEE 86(11), 1998."""

import torch
from torch import Tensor, nn

from training.nets.encoder import Encoder, pad_edges

# Table I of the paper: which of the six S2 maps (columns) each of the sixteen C3 maps reads.
C3_READS = (
    (0, 1, 2),
    (1, 2, 3),
    (2, 3, 4),
    (3, 4, 5),
    (4, 5, 0),
    (5, 0, 1),
    (0, 1, 2, 3),
    (1, 2, 3, 4),
    (2, 3, 4, 5),
    (3, 4, 5, 0),
    (4, 5, 0, 1),
    (5, 0, 1, 2),
    (0, 1, 3, 4),
    (1, 2, 4, 5),
    (2, 3, 5, 0),
    (0, 1, 2, 3, 4, 5),
)


class ScaledTanh(nn.Module):
    """1.7159 tanh(2x/3), the paper's squashing function (appendix A)."""

    def forward(self, sums: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(sums * (2 / 3))


class Subsampling(nn.Module):
    """2x2 mean, times a trainable coefficient a map, plus a trainable bias a map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mean = nn.AvgPool2d(2)
        # the paper sums four cells and starts small; with a mean, 1 is the like of it
        self.coefficient = nn.Parameter(torch.ones(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        return self.mean(maps) * self.coefficient + self.bias


class LeNet5(Encoder):
    """The 1998 net for 28x28 (padded to 32x32) pictures of one channel.

    Layers are named as in the paper. One departure: the last layer is linear and
    trained with cross-entropy, where the paper has fixed radial basis functions.
    """

    head = ("flatten", "f6", "f6_tanh", "output")
    out_channels = (6, 16, 120)
    strides = (1, 2, 4)

    def __init__(self, classes: int, in_channels: int = 1) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(in_channels, 6, 5, padding=2)
        self.c1_tanh = ScaledTanh()
        self.s2 = Subsampling(6)
        self.s2_tanh = ScaledTanh()
        self.c3 = nn.Conv2d(6, 16, 5)
        self.c3_tanh = ScaledTanh()
        self.s4 = Subsampling(16)
        self.s4_tanh = ScaledTanh()
        self.c5 = nn.Conv2d(16, 120, 5)
        self.c5_tanh = ScaledTanh()
        self.flatten = nn.Flatten()
        self.f6 = nn.Linear(120, 84)
        self.f6_tanh = ScaledTanh()
        self.output = nn.Linear(84, classes)
        self._cut_connections_of_c3()

    def _cut_connections_of_c3(self) -> None:
        mask = torch.zeros_like(self.c3.weight)
        for row, columns in enumerate(C3_READS):
            mask[row, list(columns)] = 1
        with torch.no_grad():
            self.c3.weight.mul_(mask)
        # a buffer, so that it follows the net to a GPU
        self.register_buffer("c3_reads", mask, persistent=False)
        # a cut connection starts at zero and never gets a gradient, so it stays cut
        self.c3.weight.register_hook(lambda gradient: gradient * self.c3_reads)

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the maps of C1, C3 and C5; the last two are padded to keep their input's size."""
        c1 = self.c1_tanh(self.c1(images))
        c3 = self.c3_tanh(self.c3(self._padded(self.s2_tanh(self.s2(c1)))))
        c5 = self.c5_tanh(self.c5(self._padded(self.s4_tanh(self.s4(c3)))))
        return [c1, c3, c5]

    def _padded(self, maps: Tensor) -> Tensor:
        return pad_edges(maps, (2, 2, 2, 2), self.padding_mode)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.s2_tanh(self.s2(self.c1_tanh(self.c1(images))))
        maps = self.s4_tanh(self.s4(self.c3_tanh(self.c3(maps))))
        maps = self.flatten(self.c5_tanh(self.c5(maps)))
        return self.output(self.f6_tanh(self.f6(maps)))
