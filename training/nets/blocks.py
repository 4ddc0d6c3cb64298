"""Named building blocks, so that every tensor of an exported net has a name worth reading."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.nets.encoder import pad_edges


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch normalisation, and ReLU unless `act=False`."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 3,
        stride: int = 1,
        act: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False
        )
        self.norm = nn.BatchNorm2d(out_channels)
        if act:
            self.relu = nn.ReLU()


class Blur(nn.Module):
    """The triangle filter [1, 2, 1] / 4 along both axes, before cells are skipped.

    Without it a shift by one pixel changes which cells remain (R. Zhang, arXiv:1904.11486).
    stride: 1 before a strided convolution, which is the same as blurring behind it, and cheap.
    """

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.stride, self.padding_mode = stride, "zeros"
        line = torch.tensor([1.0, 2.0, 1.0]) / 4
        # not in checkpoints, so that a net may start from one that was trained without
        kernel = torch.outer(line, line).expand(channels, 1, 3, 3).clone()
        self.register_buffer("kernel", kernel, persistent=False)
        self.kernel: Tensor

    def forward(self, features: Tensor) -> Tensor:
        padding = int(self.padding_mode == "zeros")  # a convolution's own padding costs nothing
        if not padding:
            features = pad_edges(features, (1, 1, 1, 1), self.padding_mode)
        return functional.conv2d(
            features, self.kernel, stride=self.stride, padding=padding, groups=len(self.kernel)
        )


class BlurredMaxPool(nn.Sequential):
    """2x2 max pooling at every cell, then every second cell of its blur; halves like MaxPool2d."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.max = nn.MaxPool2d(2, stride=1)
        self.blur = Blur(channels, stride=2)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut (He et al., arXiv:1512.03385, figure 2).

    shortcut, where the shape changes:
        "projection" is a 1x1 convolution with the block's stride (option B);
        "pooled" averages first, so that no pixel is skipped (arXiv:1812.01187, ResNet-D);
        "zeros" subsamples and pads channels with zeros (option A, no parameters).
    antialias: blur before the stride.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        shortcut: str = "projection",
        antialias: bool = False,
    ) -> None:
        super().__init__()
        self.blur = Blur(in_channels) if antialias and stride > 1 else None
        self.conv1 = ConvNorm(in_channels, out_channels, stride=stride)
        self.conv2 = ConvNorm(out_channels, out_channels, act=False)
        if shortcut not in _SHORTCUTS:
            raise ValueError(f"no shortcut {shortcut!r}; there are {', '.join(_SHORTCUTS)}")
        same = stride == 1 and in_channels == out_channels
        self.shortcut = (
            nn.Identity() if same else _SHORTCUTS[shortcut](in_channels, out_channels, stride)
        )
        self.relu = nn.ReLU()

    def forward(self, features: Tensor) -> Tensor:
        if self.blur is not None:
            features = self.blur(features)
        return self.relu(self.conv2(self.conv1(features)) + self.shortcut(features))


class PooledShortcut(nn.Sequential):
    """Mean over the stride, then a 1x1 convolution."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        # the odd last row and column get a window of their own, as the strided branch has it
        self.pool = nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False)
        self.project = ConvNorm(in_channels, out_channels, kernel=1, act=False)


class ZeroPaddedShortcut(nn.Module):
    """Every `stride`-th pixel, with channels of zeros appended."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.extra = out_channels - in_channels
        self.stride = stride

    def forward(self, features: Tensor) -> Tensor:
        thinned = features[:, :, :: self.stride, :: self.stride]
        return functional.pad(thinned, (0, 0, 0, 0, 0, self.extra))


def _projection(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    return ConvNorm(in_channels, out_channels, kernel=1, stride=stride, act=False)


_SHORTCUTS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "projection": _projection,
    "pooled": PooledShortcut,
    "zeros": ZeroPaddedShortcut,
}


class PooledResidualGroup(nn.Module):
    """Convolution, 2x2 max pooling (blurred if `antialias`), then a residual convolution.

    The shape of a group in K. Jordan's airbench (arXiv:2404.00498), with the shortcut of
    its larger variants.
    """

    def __init__(self, in_channels: int, out_channels: int, antialias: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.pool = BlurredMaxPool(out_channels) if antialias else nn.MaxPool2d(2)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.relu2 = nn.ReLU()

    def forward(self, features: Tensor) -> Tensor:
        features = self.relu1(self.norm1(self.pool(self.conv1(features))))
        return features + self.relu2(self.norm2(self.conv2(features)))


class GlobalAveragePool(nn.Module):
    """Mean over height and width: (N, C, H, W) to (N, C)."""

    def forward(self, features: Tensor) -> Tensor:
        return features.mean((2, 3))


class WhiteningConv(nn.Module):
    """A frozen convolution that decorrelates patches, one filter and its negative a direction.

    Filters are eigenvectors of the patch covariance, scaled to unit variance
    (K. Jordan, arXiv:2404.00498, section 3.2). `fit` sets them from training images.
    """

    def __init__(self, in_channels: int, kernel: int = 2) -> None:
        super().__init__()
        self.kernel = kernel
        directions = in_channels * kernel * kernel
        self.out_channels = 2 * directions
        self.register_buffer("weight", torch.zeros(2 * directions, in_channels, kernel, kernel))
        self.weight: Tensor

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Set the filters from normalised `images` (N, C, H, W) float32."""
        patches = functional.unfold(images, self.kernel).transpose(1, 2).flatten(0, 1).double()
        values, vectors = torch.linalg.eigh(torch.cov(patches.T))
        # 5e-4 keeps directions without signal from being blown up; airbench's value
        filters = (vectors / torch.sqrt(values + 5e-4)).T.reshape(-1, *self.weight.shape[1:])
        self.weight.copy_(torch.cat([filters, -filters]).to(self.weight.dtype))

    def forward(self, images: Tensor) -> Tensor:
        return functional.conv2d(images, self.weight)


def initialise(net: nn.Module) -> None:
    """Draw the weights of all convolutions for ReLU (He et al., arXiv:1502.01852)."""
    for module in net.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
