"""Batches of waveforms: random windows to learn from, and whole sounds to be judged by."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from service.contract.specs import AudioPreprocessing
from service.contract.windows import windows_of
from training.data.augment import mix_up
from training.data.batches import Batch, EpochBatches
from training.data.sound_augment import change_sounds, random_window
from training.data.sounds import Waveform
from training.recipe import SoundRecipe


class SoundPool:
    """All training sounds in memory, one after the other; lengths differ.

    indices pick sounds as they pick pictures of a tensor: `len(pool)` sounds are there.
    """

    def __init__(self, waveforms: Sequence[Waveform]) -> None:
        self._parts = torch.from_numpy(np.concatenate(waveforms)).split([len(w) for w in waveforms])

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, i: int) -> Tensor:
        """Return sound i, (samples,) float32."""
        return self._parts[i]


class SoundBatches(EpochBatches):
    """Random windows of the sounds of one epoch with their classes.

    images: a SoundPool; targets: (N,) int64.
    Yields ((B, window_samples) float32, (B, classes) float32 target shares).
    """

    recipe: SoundRecipe

    def __init__(
        self, sounds: SoundPool, labels: Tensor, classes: int, recipe: SoundRecipe, **place: int
    ) -> None:
        super().__init__(sounds, labels, recipe, **place)
        self.classes = classes

    def _batch(self, indices: Tensor, _mirrored: Tensor, generator: torch.Generator) -> Batch:
        recipe = self.recipe.augment
        waveforms = self._windows(indices, generator)
        targets = functional.one_hot(self.targets[indices], self.classes).float()
        if recipe.mixup:
            weight, partners = mix_up(recipe.mixup, len(indices), generator)
            share = weight.reshape(-1, 1)
            waveforms = waveforms * share + waveforms[partners] * (1 - share)
            targets = targets * share + targets[partners] * (1 - share)
        return waveforms, targets

    def _windows(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """Return a random window of each of these sounds, changed at random."""
        recipe, data = self.recipe.augment, self.recipe.data
        cut = [
            random_window(self.images[int(i)], data.window_samples, recipe, data.tail, generator)
            for i in indices
        ]
        return change_sounds(torch.stack(cut), recipe, generator)


class MeasuredBatches(SoundBatches):
    """Random windows of the sounds of one epoch with what is to be measured in them.

    targets: (N,) float32.
    Yields ((B, window_samples) float32, (B,) float32).
    """

    def _batch(self, indices: Tensor, _mirrored: Tensor, generator: torch.Generator) -> Batch:
        return self._windows(indices, generator), self.targets[indices]


class HeldOutSounds:
    """Whole sounds in order, cut into windows as they are served.

    Yields ((W, window_samples) float32, (W, 2)): of each window, its sound's number within the
    batch and its sound's label, in the type of the labels.
    """

    def __init__(
        self,
        waveforms: Sequence[Waveform],
        labels: Tensor,
        spec: AudioPreprocessing,
        sounds_at_once: int = 32,
    ) -> None:
        self.waveforms, self.labels, self.spec = waveforms, labels, spec
        self.sounds_at_once = sounds_at_once

    def __len__(self) -> int:
        return -(-len(self.waveforms) // self.sounds_at_once)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self.waveforms), self.sounds_at_once):
            some = range(start, min(start + self.sounds_at_once, len(self.waveforms)))
            windows = [torch.from_numpy(windows_of(self.waveforms[i], self.spec)[1]) for i in some]
            owners = torch.repeat_interleave(torch.tensor([len(part) for part in windows]))
            labels = self.labels[start : some.stop][owners]
            yield torch.cat(windows), torch.stack([owners.to(labels.dtype), labels], dim=1)
