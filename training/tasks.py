"""What differs between training one thing and another; everything else is shared."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from training.data.batches import EpochBatches, HeldOutBatches, SceneBatches, TrainBatches
from training.data.pictures import DataSet, Pictures
from training.data.scene_splits import open_scenes, scenes_with_validation
from training.data.scenes import Scenes, SceneSet
from training.data.splits import open_dataset, with_validation
from training.module import Classifier, NetModule
from training.recipe import InvalidRecipe, Recipe
from training.segmenter import Segmenter

SCENES_AT_ONCE = 16  # in validation: maps as large as the picture take much memory


class Task(Protocol):
    """Data, batches and module of one task; `Any` is its own kind of data set and split."""

    def open(self, data: str) -> Any:
        """Return the data set; raises SetupError if it cannot be read."""

    def with_validation(self, dataset: Any, share: float, seed: int) -> Any:
        """Return the data set with a validation split."""

    def training_tensors(self, split: Any, recipe: Recipe) -> tuple[Tensor, Tensor]:
        """Return images (N, C, H, W) uint8 to be augmented, and targets (N, ...)."""

    def held_out(self, split: Any, recipe: Recipe) -> HeldOutBatches:
        """Return the split's pictures as they are served, with their targets."""

    def epoch(
        self, tensors: tuple[Tensor, Tensor], classes: int, recipe: Recipe, **place: int
    ) -> EpochBatches:
        """Return the batches of one epoch; place: seed, epoch, rank and world_size."""

    def module(
        self, net: nn.Module, targets: Tensor, classes: int, recipe: Recipe, total_steps: int
    ) -> NetModule:
        """Return what Lightning trains."""

    def input_size(self, net: nn.Module, recipe: Recipe) -> tuple[int, int]:
        """Return height and width that the net trains on; raises InvalidRecipe if it cannot."""


class _Classification:
    def open(self, data: str) -> DataSet:
        return open_dataset(data)

    def with_validation(self, dataset: DataSet, share: float, seed: int) -> DataSet:
        return with_validation(dataset, share, seed)

    def training_tensors(self, split: Pictures, recipe: Recipe) -> tuple[Tensor, Tensor]:
        spec = recipe.data.preprocessing(recipe.data.stored_size)
        return _channels_first(split.model_inputs(spec)), torch.from_numpy(split.labels)

    def held_out(self, split: Pictures, recipe: Recipe) -> HeldOutBatches:
        inputs = split.model_inputs(recipe.data.preprocessing())
        return HeldOutBatches(_channels_first(inputs), torch.from_numpy(split.labels))

    def epoch(
        self, tensors: tuple[Tensor, Tensor], classes: int, recipe: Recipe, **place: int
    ) -> TrainBatches:
        return TrainBatches(*tensors, classes, recipe, **place)

    def module(
        self, net: nn.Module, targets: Tensor, classes: int, recipe: Recipe, total_steps: int
    ) -> Classifier:
        return Classifier(net, torch.bincount(targets, minlength=classes), recipe, total_steps)

    def input_size(self, net: nn.Module, recipe: Recipe) -> tuple[int, int]:
        return recipe.data.height_width


class _Segmentation:
    def open(self, data: str) -> SceneSet:
        return open_scenes(data)

    def with_validation(self, dataset: SceneSet, share: float, seed: int) -> SceneSet:
        return scenes_with_validation(dataset, share, seed)

    def training_tensors(self, split: Scenes, recipe: Recipe) -> tuple[Tensor, Tensor]:
        images, masks = split.model_inputs(recipe.data.preprocessing())
        return _channels_first(images), torch.from_numpy(masks)

    def held_out(self, split: Scenes, recipe: Recipe) -> HeldOutBatches:
        return HeldOutBatches(*self.training_tensors(split, recipe), SCENES_AT_ONCE)

    def epoch(
        self, tensors: tuple[Tensor, Tensor], classes: int, recipe: Recipe, **place: int
    ) -> SceneBatches:
        return SceneBatches(*tensors, recipe, **place)

    def module(
        self, net: nn.Module, targets: Tensor, classes: int, recipe: Recipe, total_steps: int
    ) -> Segmenter:
        return Segmenter(net, Segmenter.pixels_of(targets, classes), recipe, total_steps)

    def input_size(self, net: nn.Module, recipe: Recipe) -> tuple[int, int]:
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
}


def _up(side: int, step: int) -> int:
    return -(-side // step) * step


def _channels_first(images: np.ndarray[Any, np.dtype[np.uint8]]) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
