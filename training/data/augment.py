"""Random changes of whole batches. All randomness comes from the generator handed in."""

import torch
from torch import Tensor
from torch.nn import functional

from training.data.photometry import recolor
from training.data.warp import draw_warp
from training.recipe_parts import AugmentRecipe


def augment_batch(
    images: Tensor, size: int, recipe: AugmentRecipe, mirrored: Tensor, generator: torch.Generator
) -> Tensor:
    """Return (N, C, size, size) float32 in 0..1.

    images: (N, C, H, W) uint8.
    mirrored: (N,) bool, the pictures to flip left to right.
    """
    warp = draw_warp(_sides(images), (size, size), recipe, mirrored, generator)
    batch = warp.pictures(images.float() / 255)
    if recipe.translate_px:
        batch = _translate(batch, recipe.translate_px, generator)
    batch = recolor(warp.flip(batch), recipe, generator)
    if recipe.cutout_px:
        batch = _cut_out(batch, recipe.cutout_px, generator)
    return batch


def augment_scenes(
    images: Tensor,
    masks: Tensor,
    recipe: AugmentRecipe,
    mirrored: Tensor,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Return (N, C, h, w) float32 in 0..1 and (N, h, w) uint8, moved by one and the same warp.

    images: (N, C, H, W) uint8; masks: (N, H, W) uint8, VOID where no class is.
    mirrored: (N,) bool, the scenes to flip left to right.
    """
    target = recipe.crop or _sides(images)
    warp = draw_warp(_sides(images), target, recipe, mirrored, generator)
    batch = warp.flip(warp.pictures(images.float() / 255))
    return recolor(batch, recipe, generator), warp.flip(warp.masks(masks))


def mix_up(alpha: float, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return weights (N, 1, 1, 1) in 0.5..1 and partners (N,) for mixup (arXiv:1710.09412)."""
    # a Beta(a, a) draw as a ratio of two Gammas would need SciPy; torch's sampler takes no
    # generator, so its seed is drawn from ours
    seed = int(torch.randint(2**31, (1,), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        share = torch.distributions.Beta(alpha, alpha).sample((count,))
    partners = torch.randperm(count, generator=generator)
    return torch.maximum(share, 1 - share).reshape(-1, 1, 1, 1), partners


def _sides(images: Tensor) -> tuple[int, int]:
    return images.shape[-2], images.shape[-1]


def _translate(batch: Tensor, reach: int, generator: torch.Generator) -> Tensor:
    count, _, height, width = batch.shape
    padded = functional.pad(batch, (reach,) * 4, mode="reflect")
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    down, right = torch.randint(2 * reach + 1, (2, count), generator=generator)
    return windows[torch.arange(count), :, down, right]


def _cut_out(batch: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Blank one square a picture to the batch's mean colour (arXiv:1708.04552)."""
    count, _, height, width = batch.shape
    row = torch.randint(height, (count, 1, 1), generator=generator)
    column = torch.randint(width, (count, 1, 1), generator=generator)
    rows, columns = torch.arange(height).reshape(1, -1, 1), torch.arange(width).reshape(1, 1, -1)
    inside = ((rows - row).abs() * 2 < side) & ((columns - column).abs() * 2 < side)
    return torch.where(inside.unsqueeze(1), batch.mean((0, 2, 3), keepdim=True), batch)
