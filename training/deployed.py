"""The net as it is served: uint8 pictures in, probabilities and logits out."""

import torch
from torch import Tensor, nn

from training.recipe import DataRecipe


class Normalise(nn.Module):
    """Pictures in 0..1 to what the net wants; the same in training and in the exported graph."""

    def __init__(self, data: DataRecipe) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(data.mean).reshape(-1, 1, 1))
        self.register_buffer("std", torch.tensor(data.std).reshape(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std


class Deployed(nn.Module):
    """Wraps a net with the normalisation before it and the softmax behind it.

    Everything after resizing is in here, and so in the exported graph: it cannot drift.
    """

    def __init__(self, net: nn.Module, data: DataRecipe) -> None:
        super().__init__()
        self.net = net
        self.normalise = Normalise(data)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return probabilities and logits, (N, classes) float32 each.

        images: (N, H, W, C) uint8.
        """
        channels_first = images.permute(0, 3, 1, 2).to(torch.float32)
        logits = self.net(self.normalise(channels_first / 255))
        return logits.softmax(1), logits


def module_outputs(deployed: Deployed, images: Tensor) -> dict[str, Tensor]:
    """Return what a forward hook sees at every module of the net, by module path.

    images: (N, H, W, C) uint8.
    """
    seen: dict[str, Tensor] = {}
    handles = [
        module.register_forward_hook(_keep(seen, path))
        for path, module in deployed.net.named_modules()
        if path
    ]
    try:
        with torch.inference_mode():
            deployed(images)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _keep(seen: dict[str, Tensor], path: str):  # type: ignore[no-untyped-def]
    def hook(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            seen[path] = output

    return hook
