"""VGG: K. Simonyan, A. Zisserman, arXiv:1409.1556, with batch normalisation and a linear head."""

from collections.abc import Sequence

from torch import Tensor, nn

from training.nets.blocks import ConvNorm, GlobalAveragePool, initialise
from training.nets.encoder import Encoder


class VGG(Encoder):
    """Stages of 3x3 convolutions, each followed by 2x2 max pooling, and nothing beside them.

    One departure: the paper's two hidden layers of 4,096, which hold most of its weights, give
    way to global average pooling.
    widths: channels of each stage; depths: convolutions of each stage. VGG-16 has
        (64, 128, 256, 512, 512) and (2, 2, 3, 3, 3).
    """

    head = ("max_pool", "pool", "dropout", "fc")

    def __init__(
        self,
        classes: int,
        in_channels: int = 3,
        widths: Sequence[int] = (32, 64, 128, 128),
        depths: Sequence[int] = (1, 1, 1, 1),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.out_channels = tuple(widths)
        self.strides = tuple(2**i for i in range(len(widths)))
        self.stages: list[str] = []
        channels = in_channels
        for number, (width, depth) in enumerate(zip(widths, depths, strict=True), start=1):
            stage = nn.Sequential()
            if number > 1:
                stage.append(nn.MaxPool2d(2))
            for _ in range(depth):
                stage.append(ConvNorm(channels, width))
                channels = width
            self.stages.append(f"layer{number}")
            self.add_module(f"layer{number}", stage)
        self.max_pool = nn.MaxPool2d(2)
        self.pool = GlobalAveragePool()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, classes)
        initialise(self)

    def features(self, images: Tensor) -> list[Tensor]:
        levels = []
        for stage in self.stages:
            images = self.get_submodule(stage)(images)
            levels.append(images)
        return levels

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.dropout(self.pool(self.max_pool(self.features(images)[-1]))))
