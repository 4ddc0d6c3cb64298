"""Residual nets: He et al., arXiv:1512.03385, and a small fast one in the shape of airbench."""

from collections.abc import Sequence

from torch import Tensor, nn

from training.nets.blocks import (
    BasicBlock,
    ConvNorm,
    GlobalAveragePool,
    PooledResidualGroup,
    WhiteningConv,
)


class ResNet(nn.Module):
    """A stem, stages of basic blocks, global average pooling and a linear head.

    widths: channels of each stage; every stage but the first halves the size.
    depths: blocks of each stage.
    stem_stride: 1 for pictures of some 32 px, 2 for photographs.
    shortcut: see `BasicBlock`.
    """

    def __init__(
        self,
        classes: int,
        in_channels: int = 3,
        widths: Sequence[int] = (16, 32, 64),
        depths: Sequence[int] = (3, 3, 3),
        stem_stride: int = 1,
        shortcut: str = "projection",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.stem = ConvNorm(in_channels, widths[0], stride=stem_stride)
        self.stages: list[str] = []
        channels = widths[0]
        for number, (width, depth) in enumerate(zip(widths, depths, strict=True), start=1):
            first = BasicBlock(channels, width, 1 if number == 1 else 2, shortcut)
            rest = [BasicBlock(width, width, shortcut=shortcut) for _ in range(depth - 1)]
            self.stages.append(f"layer{number}")
            self.add_module(f"layer{number}", nn.Sequential(first, *rest))
            channels = width
        self.pool = GlobalAveragePool()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, classes)
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        features = self.stem(images)
        for stage in self.stages:
            features = self.get_submodule(stage)(features)
        return self.fc(self.dropout(self.pool(features)))


class WhitenedResNet(nn.Module):
    """A whitening convolution, three pooled residual groups, max pooling, a linear head.

    For 32x32 pictures: the groups see 31, 15, 7 and give 15, 7, 3 pixels a side.
    After K. Jordan's airbench (arXiv:2404.00498).
    """

    def __init__(
        self, classes: int, in_channels: int = 3, widths: Sequence[int] = (64, 256, 256)
    ) -> None:
        super().__init__()
        self.whiten = WhiteningConv(in_channels)
        self.relu = nn.ReLU()
        channels = [self.whiten.out_channels, *widths]
        self.group1 = PooledResidualGroup(channels[0], channels[1])
        self.group2 = PooledResidualGroup(channels[1], channels[2])
        self.group3 = PooledResidualGroup(channels[2], channels[3])
        self.pool = nn.MaxPool2d(3)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels[3], classes)
        _initialise(self)

    def fit_to(self, images: Tensor) -> None:
        """Set the whitening filters from normalised training images (N, C, H, W)."""
        self.whiten.fit(images)

    def forward(self, images: Tensor) -> Tensor:
        features = self.relu(self.whiten(images))
        features = self.group3(self.group2(self.group1(features)))
        return self.fc(self.flatten(self.pool(features)))


def _initialise(net: nn.Module) -> None:
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
