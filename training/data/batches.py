"""Batches of one epoch, fully determined by (seed, epoch, rank): what makes a resume exact."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from training.data.augment import augment_batch, augment_scenes, mix_up
from training.recipe import Recipe

Batch = tuple[Tensor, Tensor]


class EpochBatches:
    """Shuffled batches of one epoch; every rank sees its own share.

    images: (N, C, H, W) uint8, kept in memory; targets: (N, ...), what is to be learnt of them.
    """

    def __init__(
        self,
        images: Tensor,
        targets: Tensor,
        recipe: Recipe,
        seed: int,
        epoch: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.images, self.targets = images, targets
        self.recipe, self.seed, self.epoch = recipe, seed, epoch
        self.rank, self.world_size = rank, world_size
        # a set smaller than one batch is one batch; otherwise the odd rest waits an epoch
        self.batch_size = max(1, min(recipe.training.batch_size, len(images)) // world_size)

    def __len__(self) -> int:
        shown = len(self.images) * self.recipe.training.passes
        return shown // (self.batch_size * self.world_size)

    def __iter__(self) -> Iterator[Batch]:
        own = torch.Generator().manual_seed(_mix(self.seed, self.epoch, self.rank))
        order, mirrored = self._passes()
        step = self.batch_size * self.world_size
        for start in range(0, len(self) * step, step):
            mine = slice(start + self.rank, start + step, self.world_size)
            yield self._batch(order[mine], mirrored[mine], own)

    def _passes(self) -> Batch:
        """Return all indices of the epoch in their order, and which of them are mirrored."""
        shared = torch.Generator().manual_seed(_mix(self.seed, self.epoch, -1))
        # each picture is mirrored every other time, which beats a coin (arXiv:2404.00498)
        phase = torch.Generator().manual_seed(_mix(self.seed, -1, -1))
        phases = torch.randint(2, (len(self.images),), generator=phase)
        passes = self.recipe.training.passes
        orders = [torch.randperm(len(phases), generator=shared) for _ in range(passes)]
        mirrored = [
            (phases[order] + self.epoch * passes + i) % 2 == 0 for i, order in enumerate(orders)
        ]
        return torch.cat(orders), torch.cat(mirrored)

    def _batch(self, indices: Tensor, mirrored: Tensor, generator: torch.Generator) -> Batch:
        raise NotImplementedError


class TrainBatches(EpochBatches):
    """Augmented pictures of one epoch with their classes.

    labels: (N,) int64.
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
        super().__init__(images, labels, recipe, seed, epoch, rank, world_size)
        self.classes = classes

    @property
    def size(self) -> int:
        """Side in pixels of this epoch's pictures."""
        training = self.recipe.training
        done = self.epoch / training.epochs
        begun = [size for share, size in training.sizes if share <= done]
        return begun[-1] if begun else self.recipe.data.height_width[0]

    def _batch(self, indices: Tensor, mirrored: Tensor, generator: torch.Generator) -> Batch:
        recipe = self.recipe.augment
        images = augment_batch(self.images[indices], self.size, recipe, mirrored, generator)
        targets = functional.one_hot(self.targets[indices], self.classes).float()
        if recipe.mixup:
            weight, partners = mix_up(recipe.mixup, len(indices), generator)
            images = images * weight + images[partners] * (1 - weight)
            share = weight.reshape(-1, 1)
            targets = targets * share + targets[partners] * (1 - share)
        return images, targets


class SceneBatches(EpochBatches):
    """Augmented scenes of one epoch, each mask moved with its picture; targets: (N, H, W) uint8.

    Yields ((B, C, h, w) float32 in 0..1, (B, h, w) int64 class indices, VOID where there is none).
    """

    def _batch(self, indices: Tensor, mirrored: Tensor, generator: torch.Generator) -> Batch:
        scenes = self.images[indices], self.targets[indices]
        images, masks = augment_scenes(*scenes, self.recipe.augment, mirrored, generator)
        return images, masks.long()


class HeldOutBatches:
    """Unchanged pictures in order: ((B, C, H, W) float32 in 0..1, (B, ...) int64 targets).

    targets: (N,) labels or (N, H, W) masks.
    """

    def __init__(self, images: Tensor, targets: Tensor, batch_size: int = 256) -> None:
        self.images, self.targets, self.batch_size = images, targets, batch_size

    def __len__(self) -> int:
        return -(-len(self.targets) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        parts = self.images.split(self.batch_size), self.targets.split(self.batch_size)
        for images, targets in zip(*parts, strict=True):
            yield images.float() / 255, targets.long()


def _mix(seed: int, epoch: int, rank: int) -> int:
    """Return one seed for three numbers, so that no two epochs or ranks share a stream."""
    return ((seed * 1_000_003 + epoch + 1) * 1_000_003 + rank + 1) % 2**63
