"""Data, batches and module of the task to measure something in a sound."""

import torch
from torch import Tensor, nn

from service.contract.errors import SetupError
from training.data.measured import MeasuredSounds
from training.data.sound_batches import HeldOutSounds, MeasuredBatches, SoundPool
from training.data.sound_values import measured_with_validation, open_measured
from training.data.sounds import Sounds
from training.nets.tempogram import TempogramNet
from training.recipe import SoundRecipe
from training.sound_measurer import SoundMeasurer


class SoundRegression:
    """See `training.tasks.Task` for what each method is for; there is one class, the quantity."""

    def open(self, data: str, held_out: str | None = None) -> MeasuredSounds:
        if held_out is not None:
            raise SetupError(f"{held_out!r} cannot be held out of sounds that are to be measured")
        return open_measured(data)

    def with_validation(self, dataset: MeasuredSounds, share: float, seed: int) -> MeasuredSounds:
        return measured_with_validation(dataset, share, seed)

    def training_tensors(self, split: Sounds, recipe: SoundRecipe) -> tuple[SoundPool, Tensor]:
        waveforms = list(split.waveforms(recipe.data.sample_rate_hz))
        return SoundPool(waveforms), torch.from_numpy(split.labels).float()

    def held_out(self, split: Sounds, recipe: SoundRecipe) -> HeldOutSounds:
        waveforms = list(split.waveforms(recipe.data.sample_rate_hz))
        values = torch.from_numpy(split.labels)
        return HeldOutSounds(waveforms, values, recipe.data.preprocessing())

    def epoch(
        self, tensors: tuple[SoundPool, Tensor], classes: int, recipe: SoundRecipe, **place: int
    ) -> MeasuredBatches:
        return MeasuredBatches(*tensors, classes, recipe, **place)

    def module(
        self, net: nn.Module, targets: Tensor, classes: int, recipe: SoundRecipe, total_steps: int
    ) -> SoundMeasurer:
        assert isinstance(net, TempogramNet)  # the registry has no other for this task
        return SoundMeasurer(net, recipe, total_steps)

    def sample(self, inputs: SoundPool, net: nn.Module, recipe: SoundRecipe) -> Tensor:
        batches = self.epoch((inputs, torch.ones(len(inputs))), 1, recipe, seed=0, epoch=0)
        return next(iter(batches))[0][:128]
