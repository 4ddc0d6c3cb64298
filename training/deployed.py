"""Nets as they are served: pictures or sounds in; probabilities, and what a task needs, out."""

import torch
from torch import Tensor, nn

from service.contract.manifest import Tensor as TensorFact
from service.contract.specs import AudioPreprocessing, ImagePreprocessing, Shape
from training.recipe import HandSetRecipe, ImageRecipe, Recipe, SoundRecipe
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
    """Wraps a net with what its task has before and behind it.

    Everything after preprocessing is in here, and so in the exported graph: it cannot drift.
    roles: of what `forward` returns, in that order.
    input_name: what the graph calls its input.
    spec: how what was decoded becomes that input.
    largest_tap_error: how far a tensor of the graph may be from the net's, as a share of the
        largest magnitude in it.
    """

    roles: tuple[str, ...]
    input_name: str
    largest_tap_error = 1e-5

    def __init__(self, net: nn.Module, spec: ImagePreprocessing | AudioPreprocessing) -> None:
        super().__init__()
        self.net = net
        self.spec = spec

    def tracing_inputs(self) -> Tensor:
        """Return two inputs of zeros that show the exporter which axes are open."""
        raise NotImplementedError

    def outputs(self, classes: int) -> tuple[TensorFact, ...]:
        """Return the entries of the outputs in a manifest, each named by its role."""
        raise NotImplementedError


class DeployedPictures(Deployed):
    """Adds the normalisation of pictures."""

    input_name = "images"
    spec: ImagePreprocessing

    def __init__(self, net: nn.Module, data: DataRecipe) -> None:
        super().__init__(net, data.preprocessing())
        self.normalise = Normalise(data)

    def logits(self, images: Tensor) -> Tensor:
        """Return the net's logits (N, classes, ...) for images (N, H, W, C) uint8."""
        channels_first = images.permute(0, 3, 1, 2).to(torch.float32)
        return self.net(self.normalise(channels_first / 255))

    def tracing_inputs(self) -> Tensor:
        """Return black pictures (2, H, W, C) uint8 of a size that shows what is open in the net.

        The exporter takes a size of one, and two sizes that are equal, for a law: of a model for
        pictures of any size, no side of any map may be one, nor height and width the same.
        """
        spec = self.spec
        _, height, width, channels = spec.input_shape
        shape = (2, height or 4 * spec.multiple, width or 6 * spec.multiple, channels or 1)
        return torch.zeros(shape, dtype=torch.uint8)


class DeployedClassifier(DeployedPictures):
    """Tells the class of a whole picture."""

    roles = ("probabilities", "logits")

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return probabilities and logits, (N, classes) float32 each.

        images: (N, H, W, C) uint8.
        """
        logits = self.logits(images)
        return logits.softmax(1), logits

    def outputs(self, classes: int) -> tuple[TensorFact, ...]:
        return _class_outputs(classes)


class DeployedSegmenter(DeployedPictures):
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


class DeployedSounds(Deployed):
    """A net that takes windows of waveforms as they are."""

    input_name = "waveform"
    # the logarithm of a faint band magnifies the last bits of a Fourier transform
    largest_tap_error = 1e-4
    spec: AudioPreprocessing

    def tracing_inputs(self) -> Tensor:
        """Return silence, (2, window_samples) float32."""
        return torch.zeros(2, self.spec.window_samples)


class DeployedSoundClassifier(DeployedSounds):
    """Tells the class of a window of a sound."""

    roles = ("probabilities", "logits")

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Return probabilities and logits, (N, classes) float32 each.

        waveform: (N, window_samples) float32. The mean of the logits over a sound's windows
            is the answer for the whole.
        """
        logits = self.net(waveform)
        return logits.softmax(1), logits

    def outputs(self, classes: int) -> tuple[TensorFact, ...]:
        return _class_outputs(classes)


class DeployedMeasurer(DeployedSounds):
    """Measures something in a window of a sound."""

    roles = ("values",)
    # where a net finds nothing that repeats, dividing by how much there is magnifies them further
    largest_tap_error = 1e-3

    def forward(self, waveform: Tensor) -> tuple[Tensor]:
        """Return values, (N, quantities) float32.

        waveform: (N, window_samples) float32.
        """
        return (self.net(waveform),)

    def outputs(self, classes: int) -> tuple[TensorFact, ...]:
        shape = (None, classes)
        return (TensorFact(name="values", dtype="float32", shape=shape, role="values"),)


class DeployedSoundSegmenter(DeployedSounds):
    """Tells the class of every frame of a window of a sound."""

    roles = ("mask", "probabilities")

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Return mask (N, T) uint8 and probabilities (N, classes, T) float32.

        waveform: (N, window_samples) float32. At a tie the mask has the lower class index.
        """
        probabilities = self.net(waveform).softmax(1)
        return probabilities.argmax(1).to(torch.uint8), probabilities

    def outputs(self, classes: int) -> tuple[TensorFact, ...]:
        with torch.inference_mode():
            frames = self(self.tracing_inputs())[0].shape[1]
        maps: Shape = (None, classes, frames)
        return (
            TensorFact(name="mask", dtype="uint8", shape=(None, frames), role="mask"),
            TensorFact(name="probabilities", dtype="float32", shape=maps, role="probabilities"),
        )


def _class_outputs(classes: int) -> tuple[TensorFact, ...]:
    return tuple(
        TensorFact(name=role, dtype="float32", shape=(None, classes), role=role)
        for role in ("probabilities", "logits")
    )


def deploy(net: nn.Module, recipe: Recipe) -> Deployed:
    """Return the net as the recipe's task serves it, in evaluation mode."""
    if isinstance(recipe, HandSetRecipe):
        return DeployedSoundSegmenter(net, recipe.data.preprocessing()).eval()
    if isinstance(recipe, SoundRecipe):
        measures = recipe.task == "audio-regression"
        kind = DeployedMeasurer if measures else DeployedSoundClassifier
        return kind(net, recipe.data.preprocessing()).eval()
    assert isinstance(recipe, ImageRecipe)  # there are no others
    segments = recipe.task == "image-segmentation"
    return (DeployedSegmenter if segments else DeployedClassifier)(net, recipe.data).eval()


def module_outputs(deployed: Deployed, inputs: Tensor) -> dict[str, Tensor]:
    """Return what a forward hook sees at every module of the net, by module path.

    inputs: (N, H, W, C) uint8 pictures or (N, window_samples) float32 waveforms.
    """
    seen: dict[str, Tensor] = {}
    handles = [
        module.register_forward_hook(_keep(seen, path))
        for path, module in deployed.net.named_modules()
        if path
    ]
    try:
        with torch.inference_mode():
            deployed(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _keep(seen: dict[str, Tensor], path: str):  # type: ignore[no-untyped-def]
    def hook(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            seen[path] = output

    return hook
