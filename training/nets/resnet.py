"""Residual nets: He et al., arXiv:1512.03385, and a small fast one in the shape of airbench."""

from collections.abc import Sequence

from torch import Tensor, nn

from training.nets.blocks import (
    BasicBlock,
    Blur,
    ConvNorm,
    GlobalAveragePool,
    PooledResidualGroup,
    WhiteningConv,
    initialise,
)
from training.nets.encoder import Encoder, pad_edges


class ResNet(Encoder):
    """A stem, stages of basic blocks, global average pooling and a linear head.

    widths: channels of each stage; every stage but the first halves the size.
    depths: blocks of each stage.
    stem_stride: 1 for pictures of some 32 px, 2 for photographs.
    shortcut: see `BasicBlock`.
    antialias: blur before every stride, the stem's too.
    """

    head = ("pool", "dropout", "fc")

    def __init__(
        self,
        classes: int,
        in_channels: int = 3,
        widths: Sequence[int] = (16, 32, 64),
        depths: Sequence[int] = (3, 3, 3),
        stem_stride: int = 1,
        shortcut: str = "projection",
        dropout: float = 0.0,
        antialias: bool = False,
    ) -> None:
        super().__init__()
        self.out_channels = tuple(widths)
        self.strides = tuple(stem_stride * 2**i for i in range(len(widths)))
        self.blur = Blur(in_channels) if antialias and stem_stride > 1 else None
        self.stem = ConvNorm(in_channels, widths[0], stride=stem_stride)
        self.stages: list[str] = []
        channels = widths[0]
        for number, (width, depth) in enumerate(zip(widths, depths, strict=True), start=1):
            stride = 1 if number == 1 else 2
            first = BasicBlock(channels, width, stride, shortcut, antialias)
            rest = [BasicBlock(width, width, shortcut=shortcut) for _ in range(depth - 1)]
            self.stages.append(f"layer{number}")
            self.add_module(f"layer{number}", nn.Sequential(first, *rest))
            channels = width
        self.pool = GlobalAveragePool()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, classes)
        initialise(self)

    def features(self, images: Tensor) -> list[Tensor]:
        features = self.stem(images if self.blur is None else self.blur(images))
        levels = []
        for stage in self.stages:
            features = self.get_submodule(stage)(features)
            levels.append(features)
        return levels

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.dropout(self.pool(self.features(images)[-1])))


class WhitenedResNet(Encoder):
    """A whitening convolution, three pooled residual groups, max pooling, a linear head.

    For 32x32 pictures: the groups see 31, 15, 7 and give 15, 7, 3 pixels a side.
    After K. Jordan's airbench (arXiv:2404.00498).
    antialias: blur where the groups pool.
    """

    head = ("pool", "flatten", "fc")
    strides = (1, 2, 4, 8)

    def __init__(
        self,
        classes: int,
        in_channels: int = 3,
        widths: Sequence[int] = (64, 256, 256),
        antialias: bool = False,
    ) -> None:
        super().__init__()
        self.whiten = WhiteningConv(in_channels)
        self.relu = nn.ReLU()
        channels = self.out_channels = (self.whiten.out_channels, *widths)
        self.group1 = PooledResidualGroup(channels[0], channels[1], antialias)
        self.group2 = PooledResidualGroup(channels[1], channels[2], antialias)
        self.group3 = PooledResidualGroup(channels[2], channels[3], antialias)
        self.pool = nn.MaxPool2d(3)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels[3], classes)
        initialise(self)

    def fit_to(self, images: Tensor) -> None:
        """Set the whitening filters from normalised training images (N, C, H, W)."""
        self.whiten.fit(images)

    def features(self, images: Tensor) -> list[Tensor]:
        # the classifier's 2x2 whitening takes one pixel off each side; a map must not lose it
        padded = pad_edges(images, (0, 1, 0, 1), self.padding_mode)
        levels = [self.relu(self.whiten(padded))]
        for group in (self.group1, self.group2, self.group3):
            levels.append(group(levels[-1]))
        return levels

    def forward(self, images: Tensor) -> Tensor:
        features = self.relu(self.whiten(images))
        features = self.group3(self.group2(self.group1(features)))
        return self.fc(self.flatten(self.pool(features)))
