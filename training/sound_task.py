"""Data, batches and module of the task to tell the class of a sound."""

import torch
from torch import Tensor, nn

from training.data.pictures import DataSet
from training.data.sound_batches import HeldOutSounds, SoundBatches, SoundPool
from training.data.sound_splits import open_sounds, sounds_with_validation
from training.data.sounds import Sounds
from training.recipe import SoundRecipe
from training.sound_classifier import SoundClassifier


class SoundClassification:
    """See `training.tasks.Task` for what each method is for."""

    def open(self, data: str, held_out: str | None = None) -> DataSet[Sounds]:
        return open_sounds(data, held_out)

    def with_validation(self, dataset: DataSet[Sounds], share: float, seed: int) -> DataSet[Sounds]:
        return sounds_with_validation(dataset, share, seed)

    def training_tensors(self, split: Sounds, recipe: SoundRecipe) -> tuple[SoundPool, Tensor]:
        waveforms = list(split.waveforms(recipe.data.sample_rate_hz))
        return SoundPool(waveforms), torch.from_numpy(split.labels)

    def held_out(self, split: Sounds, recipe: SoundRecipe) -> HeldOutSounds:
        waveforms = list(split.waveforms(recipe.data.sample_rate_hz))
        return HeldOutSounds(waveforms, torch.from_numpy(split.labels), recipe.data.preprocessing())

    def epoch(
        self, tensors: tuple[SoundPool, Tensor], classes: int, recipe: SoundRecipe, **place: int
    ) -> SoundBatches:
        return SoundBatches(*tensors, classes, recipe, **place)

    def module(
        self, net: nn.Module, targets: Tensor, classes: int, recipe: SoundRecipe, total_steps: int
    ) -> SoundClassifier:
        return SoundClassifier(net, torch.bincount(targets, minlength=classes), recipe, total_steps)

    def sample(self, inputs: SoundPool, net: nn.Module, recipe: SoundRecipe) -> Tensor:
        batches = self.epoch(
            (inputs, torch.zeros(len(inputs), dtype=torch.int64)), 1, recipe, seed=0, epoch=0
        )
        return next(iter(batches))[0][:128]
