"""Nets as they are served: uint8 pictures in; probabilities, and what else a task needs, out."""

import torch
from torch import Tensor, nn

from service.contract.manifest import Tensor as TensorFact
from service.contract.specs import Shape
from training.recipe import Recipe
from training.recipe_parts import DataRecipe


class Normalise(nn.Module):
    """Pictures in 0..1 to what the net wants; the same in training and in the exported graph."""

    def __init__(self, data: DataRecipe) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(data.mean).reshape(-1, 1, 1))
        self.register_buffer("std", torch.tensor(data.std).reshape(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std


class Deployed(nn.Module):
    """Wraps a net with the normalisation before it; a task adds what comes behind.

    Everything after resizing is in here, and so in the exported graph: it cannot drift.
    roles: of what `forward` returns, in that order.
    spec: how pictures become its input.
    """

    roles: tuple[str, ...]

    def __init__(self, net: nn.Module, data: DataRecipe) -> None:
        super().__init__()
        self.net = net
        self.normalise = Normalise(data)
        self.spec = data.preprocessing()

    def logits(self, images: Tensor) -> Tensor:
        """Return the net's logits (N, classes, ...) for images (N, H, W, C) uint8."""
        channels_first = images.permute(0, 3, 1, 2).to(torch.float32)
        return self.net(self.normalise(channels_first / 255))

    def outputs(self, classes: int) -> tuple[TensorFact, ...]:
        """Return the entries of the outputs in a manifest, each named by its role."""
        raise NotImplementedError


class DeployedClassifier(Deployed):
    """Tells the class of a whole picture."""

    roles = ("probabilities", "logits")

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return probabilities and logits, (N, classes) float32 each.

        images: (N, H, W, C) uint8.
        """
        logits = self.logits(images)
        return logits.softmax(1), logits

    def outputs(self, classes: int) -> tuple[TensorFact, ...]:
        return tuple(
            TensorFact(name=role, dtype="float32", shape=(None, classes), role=role)
            for role in ("probabilities", "logits")
        )


class DeployedSegmenter(Deployed):
    """Tells the class of every pixel."""

    roles = ("mask", "probabilities")

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mask (N, H, W) uint8 and probabilities (N, classes, H, W) float32.

        images: (N, H, W, C) uint8. At a tie the mask has the lower class index.
        """
        probabilities = self.logits(images).softmax(1)
        # inside the graph: what leaves it for a mask is a byte a pixel, not a float a class
        return probabilities.argmax(1).to(torch.uint8), probabilities

    def outputs(self, classes: int) -> tuple[TensorFact, ...]:
        sides = self.spec.input_shape[1:3]
        maps: Shape = (None, classes, *sides)
        return (
            TensorFact(name="mask", dtype="uint8", shape=(None, *sides), role="mask"),
            TensorFact(name="probabilities", dtype="float32", shape=maps, role="probabilities"),
        )


_DEPLOYED: dict[str, type[Deployed]] = {
    "image-classification": DeployedClassifier,
    "image-segmentation": DeployedSegmenter,
}


def deploy(net: nn.Module, recipe: Recipe) -> Deployed:
    """Return the net as the recipe's task serves it, in evaluation mode."""
    return _DEPLOYED[recipe.task](net, recipe.data).eval()


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
