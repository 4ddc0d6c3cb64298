"""Random changes of whole batches. All randomness comes from the generator handed in."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from training.recipe import AugmentRecipe


def augment_batch(
    images: Tensor, size: int, recipe: AugmentRecipe, mirrored: Tensor, generator: torch.Generator
) -> Tensor:
    """Return (N, C, size, size) float32 in 0..1.

    images: (N, C, H, W) uint8.
    mirrored: (N,) bool, the pictures to flip left to right.
    """
    batch = images.float() / 255
    if _moves(recipe) or batch.shape[-1] != size:
        batch = _warp(batch, size, recipe, generator)
    if recipe.translate_px:
        batch = _translate(batch, recipe.translate_px, generator)
    if recipe.flip:
        batch = torch.where(mirrored[:, None, None, None], batch.flip(3), batch)
    if recipe.jitter:
        batch = _jitter(batch, recipe.jitter, generator)
    if recipe.cutout_px:
        batch = _cut_out(batch, recipe.cutout_px, generator)
    return batch


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


def _moves(recipe: AugmentRecipe) -> bool:
    still = recipe.crop_scale == (1.0, 1.0) and recipe.zoom == (1.0, 1.0)
    return not (still and recipe.rotate_degrees == 0 and recipe.shear_degrees == 0)


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator) * (high - low) + low


def _warp(batch: Tensor, size: int, recipe: AugmentRecipe, generator: torch.Generator) -> Tensor:
    """Crop, zoom, rotate and shear in one resampling."""
    count = len(batch)
    area = _uniform(count, *recipe.crop_scale, generator)
    ratio = 1.0 if recipe.crop_scale == (1.0, 1.0) else 4 / 3
    stretch = torch.exp(_uniform(count, -math.log(ratio), math.log(ratio), generator) / 2)
    wide = (area.sqrt() * stretch).clamp(max=1)
    high = (area.sqrt() / stretch).clamp(max=1)
    shift_x = (1 - wide) * _uniform(count, -1, 1, generator)
    shift_y = (1 - high) * _uniform(count, -1, 1, generator)
    zoom = 1 / _uniform(count, *recipe.zoom, generator)
    turn = math.radians(recipe.rotate_degrees)
    angle = _uniform(count, -turn, turn, generator)
    slant = math.tan(math.radians(recipe.shear_degrees))
    shear = _uniform(count, -slant, slant, generator)
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    rows = torch.stack(
        [
            wide * cos,
            wide * (shear * cos - sin),
            shift_x,
            high * sin,
            high * (cos + shear * sin),
            shift_y,
        ],
        dim=1,
    )
    grid = functional.affine_grid(
        rows.reshape(count, 2, 3), [count, batch.shape[1], size, size], align_corners=False
    )
    return functional.grid_sample(
        batch, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )


def _translate(batch: Tensor, reach: int, generator: torch.Generator) -> Tensor:
    count, _, height, width = batch.shape
    padded = functional.pad(batch, (reach,) * 4, mode="reflect")
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    down, right = torch.randint(2 * reach + 1, (2, count), generator=generator)
    return windows[torch.arange(count), :, down, right]


def _jitter(batch: Tensor, reach: float, generator: torch.Generator) -> Tensor:
    count = len(batch)
    brightness, contrast, saturation = (
        _uniform(count, 1 - reach, 1 + reach, generator).reshape(-1, 1, 1, 1) for _ in range(3)
    )
    batch = batch * brightness
    middle = batch.mean((1, 2, 3), keepdim=True)
    batch = (batch - middle) * contrast + middle
    gray = batch.mean(1, keepdim=True)
    return ((batch - gray) * saturation + gray).clamp(0, 1)


def _cut_out(batch: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Blank one square a picture to the batch's mean colour (arXiv:1708.04552)."""
    count, _, height, width = batch.shape
    row = torch.randint(height, (count, 1, 1), generator=generator)
    column = torch.randint(width, (count, 1, 1), generator=generator)
    rows, columns = torch.arange(height).reshape(1, -1, 1), torch.arange(width).reshape(1, 1, -1)
    inside = ((rows - row).abs() * 2 < side) & ((columns - column).abs() * 2 < side)
    return torch.where(inside.unsqueeze(1), batch.mean((0, 2, 3), keepdim=True), batch)
