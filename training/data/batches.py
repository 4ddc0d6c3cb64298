"""Batches of one epoch, fully determined by (seed, epoch, rank): what makes a resume exact."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from training.data.augment import augment_batch, mix_up
from training.recipe import Recipe


class TrainBatches:
    """Shuffled, augmented batches of one epoch; every rank sees its own share.

    images: (N, C, H, W) uint8, kept in memory; labels: (N,) int64.
    Yields ((B, C, size, size) float32 in 0..1, (B, classes) float32 target shares).
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        classes: int,
        recipe: Recipe,
        seed: int,
        epoch: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.images, self.labels, self.classes = images, labels, classes
        self.recipe, self.seed, self.epoch = recipe, seed, epoch
        self.rank, self.world_size = rank, world_size
        # a set smaller than one batch is one batch; otherwise the odd rest waits an epoch
        self.batch_size = max(1, min(recipe.training.batch_size, len(labels)) // world_size)

    def __len__(self) -> int:
        return len(self.labels) // (self.batch_size * self.world_size)

    @property
    def size(self) -> int:
        """Side in pixels of this epoch's pictures."""
        training = self.recipe.training
        done = self.epoch / training.epochs
        begun = [size for share, size in training.sizes if share <= done]
        return begun[-1] if begun else self.recipe.data.size

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        shared = torch.Generator().manual_seed(_mix(self.seed, self.epoch, -1))
        own = torch.Generator().manual_seed(_mix(self.seed, self.epoch, self.rank))
        order = torch.randperm(len(self.labels), generator=shared)
        # each picture is mirrored every other epoch, which beats a coin (arXiv:2404.00498)
        phase = torch.Generator().manual_seed(_mix(self.seed, -1, -1))
        mirrored = (torch.randint(2, (len(order),), generator=phase) + self.epoch) % 2 == 0
        step = self.batch_size * self.world_size
        for start in range(0, len(self) * step, step):
            mine = order[start + self.rank : start + step : self.world_size]
            yield self._batch(mine, mirrored[mine], own)

    def _batch(
        self, indices: Tensor, mirrored: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        recipe = self.recipe.augment
        images = augment_batch(self.images[indices], self.size, recipe, mirrored, generator)
        targets = functional.one_hot(self.labels[indices], self.classes).float()
        if recipe.mixup:
            weight, partners = mix_up(recipe.mixup, len(indices), generator)
            images = images * weight + images[partners] * (1 - weight)
            share = weight.reshape(-1, 1)
            targets = targets * share + targets[partners] * (1 - share)
        return images, targets


class HeldOutBatches:
    """Unchanged pictures in order: ((B, C, H, W) float32 in 0..1, (B,) int64 labels)."""

    def __init__(self, images: Tensor, labels: Tensor, batch_size: int = 256) -> None:
        self.images, self.labels, self.batch_size = images, labels, batch_size

    def __len__(self) -> int:
        return -(-len(self.labels) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        parts = self.images.split(self.batch_size), self.labels.split(self.batch_size)
        for images, labels in zip(*parts, strict=True):
            yield images.float() / 255, labels


def _mix(seed: int, epoch: int, rank: int) -> int:
    """Return one seed for three numbers, so that no two epochs or ranks share a stream."""
    return ((seed * 1_000_003 + epoch + 1) * 1_000_003 + rank + 1) % 2**63
