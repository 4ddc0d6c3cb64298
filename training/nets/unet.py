"""The U-Net family: any encoder, and a decoder that is built from its promise alone.

After O. Ronneberger, P. Fischer, T. Brox, arXiv:1505.04597.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.nets.blocks import ConvNorm, initialise
from training.nets.encoder import Encoder, set_padding

UPSAMPLINGS = ("nearest", "bilinear")


class UpBlock(nn.Module):
    """Enlarges a map to the size of the next finer one, joins the two, convolves twice.

    factor: how many times finer, a whole number, so that an exported graph takes any size.
    """

    def __init__(
        self, in_channels: int, skip_channels: int, out_channels: int, factor: int, mode: str
    ) -> None:
        super().__init__()
        aligned = {"align_corners": False} if mode == "bilinear" else {}
        self.upsample = nn.Upsample(scale_factor=float(factor), mode=mode, **aligned)
        self.conv1 = ConvNorm(in_channels + skip_channels, out_channels)
        self.conv2 = ConvNorm(out_channels, out_channels)

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        return self.conv2(self.conv1(torch.cat([self.upsample(features), skip], 1)))


class UNetDecoder(nn.Module):
    """Goes from the coarsest map to the finest, one block a level, named by its stride.

    channels, strides: of the maps that it gets, finest first.
    widths: channels that it gives at each level but the coarsest, finest first.
    upsample: one of UPSAMPLINGS.
    """

    def __init__(
        self, channels: Sequence[int], strides: Sequence[int], widths: Sequence[int], upsample: str
    ) -> None:
        super().__init__()
        if upsample not in UPSAMPLINGS:
            raise ValueError(f"no upsample {upsample!r}; there are {', '.join(UPSAMPLINGS)}")
        if len(widths) != len(channels) - 1:
            raise ValueError(
                f"decoder_widths needs {len(channels) - 1} numbers, one for each of the strides "
                f"{', '.join(map(str, strides[:-1]))}"
            )
        self.levels: list[str] = []
        below = channels[-1]
        for i in reversed(range(len(widths))):
            factor, rest = divmod(strides[i + 1], strides[i])
            if rest:
                raise ValueError(f"stride {strides[i + 1]} is no multiple of {strides[i]}")
            self.levels.append(f"stride{strides[i]}")
            block = UpBlock(below, channels[i], widths[i], factor, upsample)
            self.add_module(self.levels[-1], block)
            below = widths[i]

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return a map as large as the finest of the `maps`, which come finest first."""
        features = maps[-1]
        for level, skip in zip(self.levels, reversed(maps[:-1]), strict=True):
            features = self.get_submodule(level)(features, skip)
        return features


class UNet(nn.Module):
    """Logits (N, classes, H, W) for pictures (N, C, H, W), at every pixel of theirs.

    H and W are multiples of `size_multiple`. Where the encoder's finest map is coarser than
    the picture, a light convolution of the picture itself joins it, so that thin things stay.

    encoder: is changed: it loses its head, and gets the padding.
    decoder_widths: channels of the decoder at each level but the coarsest, finest first.
    fine_width: channels of the light convolution.
    padding: what all convolutions see beyond the edge, one of PADDINGS.
    dropout: share of the last map's channels that are blanked in training.
    """

    def __init__(
        self,
        encoder: Encoder,
        classes: int,
        in_channels: int,
        decoder_widths: Sequence[int],
        fine_width: int = 8,
        upsample: str = "nearest",
        padding: str = "zeros",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        encoder.drop_head()
        self.encoder = encoder
        self.size_multiple = encoder.strides[-1]
        channels, strides = encoder.out_channels, encoder.strides
        self.fine: nn.Module | None = None
        if strides[0] > 1:
            self.fine = ConvNorm(in_channels, fine_width)
            channels, strides = (fine_width, *channels), (1, *strides)
        self.decoder = UNetDecoder(channels, strides, decoder_widths, upsample)
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(decoder_widths[0], classes, 1)
        for part in (self.decoder, self.fine):
            if part is not None:
                initialise(part)
        set_padding(self, padding)

    def fit_to(self, images: Tensor) -> None:
        """Let an encoder that looks at the data before training do so; (N, C, H, W) normalised."""
        if hasattr(self.encoder, "fit_to"):
            self.encoder.fit_to(images)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits; raises ValueError, naming a size that works, for one that does not."""
        if not torch.compiler.is_exporting():  # there the manifest says which sizes there are
            self._check_size(*images.shape[-2:])
        maps = self.encoder.features(images)
        if self.fine is not None:
            maps = [self.fine(images), *maps]
        return self.head(self.dropout(self.decoder(maps)))

    def _check_size(self, height: int, width: int) -> None:
        step = self.size_multiple
        if height % step or width % step:
            raise ValueError(
                f"pictures of {width}x{height} px do not divide by {step}; "
                f"{-(-width // step) * step}x{-(-height // step) * step} would do"
            )
