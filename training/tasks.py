"""What differs between training one thing and another; everything else is shared."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from service.contract.errors import SetupError
from training.data.batches import Batch, EpochBatches, HeldOutBatches, SceneBatches, TrainBatches
from training.data.pictures import DataSet, Pictures
from training.data.scene_splits import open_scenes, scenes_with_validation
from training.data.scenes import Scenes, SceneSet
from training.data.splits import open_dataset, with_validation
from training.deployed import Normalise
from training.measure_task import SoundRegression
from training.module import Classifier, NetModule
from training.recipe import ImageRecipe, InvalidRecipe
from training.segmenter import Segmenter
from training.sound_task import SoundClassification

SCENES_AT_ONCE = 16  # in validation: maps as large as the picture take much memory


class HeldOut(Protocol):
    """Batches of a split as it is served, with targets."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...


class Task(Protocol):
    """Data, batches and module of one task.

    `Any` is its own kind of data set, split, recipe or inputs; the latter have a length and are
    picked by their indices.
    """

    def open(self, data: str, held_out: str | None = None) -> Any:
        """Return the data set; raises SetupError if it cannot be read.

        held_out: `COLUMN=VALUE`, what to test on instead of the data set's own split.
        """

    def with_validation(self, dataset: Any, share: float, seed: int) -> Any:
        """Return the data set with a validation split; none is made of a share of 0."""

    def training_tensors(self, split: Any, recipe: Any) -> tuple[Any, Tensor]:
        """Return N inputs to be augmented, such as images (N, C, H, W) uint8, and N targets."""

    def held_out(self, split: Any, recipe: Any) -> HeldOut:
        """Return the split as it is served, with its targets; decodes all of it."""

    def epoch(
        self, tensors: tuple[Any, Tensor], classes: int, recipe: Any, **place: int
    ) -> EpochBatches:
        """Return the batches of one epoch; place: seed, epoch, rank and world_size."""

    def module(
        self, net: nn.Module, targets: Tensor, classes: int, recipe: Any, total_steps: int
    ) -> NetModule:
        """Return what Lightning trains."""

    def sample(self, inputs: Any, net: nn.Module, recipe: Any) -> Tensor:
        """Return a batch as the net gets it in training; raises InvalidRecipe if it cannot be."""


class _Classification:
    def open(self, data: str, held_out: str | None = None) -> DataSet[Pictures]:
        _refuse(held_out)
        return open_dataset(data)

    def with_validation(
        self, dataset: DataSet[Pictures], share: float, seed: int
    ) -> DataSet[Pictures]:
        return with_validation(dataset, share, seed)

    def training_tensors(self, split: Pictures, recipe: ImageRecipe) -> tuple[Tensor, Tensor]:
        spec = recipe.data.preprocessing(recipe.data.stored_size)
        return _channels_first(split.model_inputs(spec)), torch.from_numpy(split.labels)

    def held_out(self, split: Pictures, recipe: ImageRecipe) -> HeldOutBatches:
        inputs = split.model_inputs(recipe.data.preprocessing())
        return HeldOutBatches(_channels_first(inputs), torch.from_numpy(split.labels))

    def epoch(
        self, tensors: tuple[Tensor, Tensor], classes: int, recipe: ImageRecipe, **place: int
    ) -> TrainBatches:
        return TrainBatches(*tensors, classes, recipe, **place)

    def module(
        self, net: nn.Module, targets: Tensor, classes: int, recipe: ImageRecipe, total_steps: int
    ) -> Classifier:
        return Classifier(net, torch.bincount(targets, minlength=classes), recipe, total_steps)

    def sample(self, inputs: Tensor, net: nn.Module, recipe: ImageRecipe) -> Tensor:
        return _sample(inputs, recipe.data.height_width, recipe)


class _Segmentation:
    def open(self, data: str, held_out: str | None = None) -> SceneSet:
        _refuse(held_out)
        return open_scenes(data)

    def with_validation(self, dataset: SceneSet, share: float, seed: int) -> SceneSet:
        return scenes_with_validation(dataset, share, seed)

    def training_tensors(self, split: Scenes, recipe: ImageRecipe) -> tuple[Tensor, Tensor]:
        images, masks = split.model_inputs(recipe.data.preprocessing())
        return _channels_first(images), torch.from_numpy(masks)

    def held_out(self, split: Scenes, recipe: ImageRecipe) -> HeldOutBatches:
        return HeldOutBatches(*self.training_tensors(split, recipe), SCENES_AT_ONCE)

    def epoch(
        self, tensors: tuple[Tensor, Tensor], classes: int, recipe: ImageRecipe, **place: int
    ) -> SceneBatches:
        return SceneBatches(*tensors, recipe, **place)

    def module(
        self, net: nn.Module, targets: Tensor, classes: int, recipe: ImageRecipe, total_steps: int
    ) -> Segmenter:
        return Segmenter(net, Segmenter.pixels_of(targets, classes), recipe, total_steps)

    def sample(self, inputs: Tensor, net: nn.Module, recipe: ImageRecipe) -> Tensor:
        return _sample(inputs, self.input_size(net, recipe), recipe)

    def input_size(self, net: nn.Module, recipe: ImageRecipe) -> tuple[int, int]:
        """Return height and width that the net trains on; raises InvalidRecipe if it cannot."""
        step = int(net.size_multiple)  # type: ignore[arg-type]
        canvas = recipe.data.preprocessing().reference_size
        wanted = {"data: the input": canvas, "augment.crop": recipe.augment.crop or canvas}
        for name, (height, width) in wanted.items():
            if height % step or width % step:
                raise InvalidRecipe(
                    f"{name} is {height} x {width} px (height x width), but this net takes "
                    f"multiples of {step}, such as {_up(height, step)} x {_up(width, step)}; "
                    f"`multiple = {step}` pads pictures under same_area and none"
                )
        return wanted["augment.crop"]


TASKS: Mapping[str, Task] = {
    "image-classification": _Classification(),
    "image-segmentation": _Segmentation(),
    "audio-classification": SoundClassification(),
    "audio-regression": SoundRegression(),
}


def _refuse(held_out: str | None) -> None:
    if held_out is not None:
        raise SetupError(f"{held_out!r} cannot be held out: only data sets of sounds have columns")


def _sample(images: Tensor, size: tuple[int, int], recipe: ImageRecipe) -> Tensor:
    few = images[: min(128, recipe.training.batch_size)].float() / 255
    normalised = Normalise(recipe.data)(functional.interpolate(few, size))
    return normalised.contiguous(memory_format=torch.channels_last)


def _up(side: int, step: int) -> int:
    return -(-side // step) * step


def _channels_first(images: np.ndarray[Any, np.dtype[np.uint8]]) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
