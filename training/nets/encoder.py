"""What a net promises whose feature maps others build on."""

from torch import Tensor, nn
from torch.nn import functional

PADDINGS = ("zeros", "reflect", "replicate")


class Encoder(nn.Module):
    """A classifier that also hands out the maps of its levels, finest first.

    out_channels: channels of each level.
    strides: input pixels per cell of each level; for pictures whose sides are multiples of the
        last one, the map of a level is exactly so many times smaller than the picture.
    head: names of the modules that only the classifier needs.
    padding_mode: what convolutions see beyond the edge, one of PADDINGS.
    """

    out_channels: tuple[int, ...]
    strides: tuple[int, ...]
    head: tuple[str, ...]
    padding_mode: str = "zeros"

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the map (N, out_channels[i], H / strides[i], W / strides[i]) of each level i."""
        raise NotImplementedError

    def drop_head(self) -> None:
        """Remove what features do not pass through; afterwards the net cannot classify."""
        for name in self.head:
            delattr(self, name)


def pad_edges(features: Tensor, sides: tuple[int, int, int, int], mode: str) -> Tensor:
    """Return the map, larger by so many cells on the left, right, top and bottom.

    mode: one of PADDINGS; "reflect" needs a map larger than any of the sides.
    """
    return functional.pad(features, sides, mode="constant" if mode == "zeros" else mode)


def set_padding(net: nn.Module, mode: str) -> None:
    """Let every part of the net see `mode`, one of PADDINGS, beyond the edge of its map.

    Raises: ValueError for any other mode.
    """
    if mode not in PADDINGS:
        raise ValueError(f"no padding {mode!r}; there are {', '.join(PADDINGS)}")
    for module in net.modules():
        if hasattr(module, "padding_mode"):
            module.padding_mode = mode
