"""One random geometric change of a batch, for pictures and for their masks alike."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.recipe_parts import AugmentRecipe

VOID = 255  # of a mask: no class, counted nowhere


def uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """Return (count,) float32 in low..high."""
    return torch.rand(count, generator=generator) * (high - low) + low


@dataclass(frozen=True)
class Warp:
    """Where every pixel of a batch comes from.

    grid: (N, h, w, 2) float32, x and y in the source, whose edges are -1 and 1; None where
        pixels stay where they are.
    mirrored: (N,) bool, those flipped left to right afterwards.
    """

    grid: Tensor | None
    mirrored: Tensor

    def pictures(self, batch: Tensor) -> Tensor:
        """Return (N, C, h, w) from (N, C, H, W) float32; what is uncovered is reflected."""
        if self.grid is not None:
            batch = functional.grid_sample(
                batch, self.grid, mode="bilinear", padding_mode="reflection", align_corners=False
            )
        return batch

    def masks(self, batch: Tensor) -> Tensor:
        """Return (N, h, w) from (N, H, W) uint8, the nearest pixel; what is uncovered is VOID."""
        if self.grid is not None:
            # padding is zeros, so that 0 must mean void
            shifted = (batch.float() - VOID).unsqueeze(1)
            nearest = functional.grid_sample(
                shifted, self.grid, mode="nearest", padding_mode="zeros", align_corners=False
            )
            batch = (nearest.squeeze(1) + VOID).to(torch.uint8)
        return batch

    def flip(self, batch: Tensor) -> Tensor:
        """Return pictures or masks, (N, ..., h, w), with the mirrored ones flipped."""
        chosen = self.mirrored.reshape(-1, *[1] * (batch.ndim - 1))
        return torch.where(chosen, batch.flip(-1), batch)


def draw_warp(
    source: tuple[int, int],
    target: tuple[int, int],
    recipe: AugmentRecipe,
    mirrored: Tensor,
    generator: torch.Generator,
) -> Warp:
    """Return a change of pictures of `source` (height, width) to ones of `target`.

    Without `recipe.crop` the whole picture becomes the target, otherwise a piece of its size.
    mirrored: (N,) bool, the pictures to flip if the recipe flips.
    """
    flipped = mirrored if recipe.flip else torch.zeros_like(mirrored)
    if not _moves(recipe) and source == target:
        return Warp(None, flipped)
    count = len(mirrored)
    # an affine grid puts its 2 x 3 matrix on pixels of the target, in -1..1 along both axes
    matrix = _matrix(count, source, target, recipe, generator)
    grid = functional.affine_grid(matrix, [count, 1, *target], align_corners=False)
    return Warp(grid, flipped)


def _moves(recipe: AugmentRecipe) -> bool:
    still = recipe.crop_scale == (1.0, 1.0) and recipe.zoom == (1.0, 1.0)
    return not (still and recipe.rotate_degrees == 0 and recipe.shear_degrees == 0)


def _matrix(
    count: int,
    source: tuple[int, int],
    target: tuple[int, int],
    recipe: AugmentRecipe,
    generator: torch.Generator,
) -> Tensor:
    """Return (N, 2, 3): crop, zoom, rotation and shear as one affine map."""
    area = uniform(count, *recipe.crop_scale, generator)
    ratio = 1.0 if recipe.crop_scale == (1.0, 1.0) else 4 / 3
    stretch = torch.exp(uniform(count, -math.log(ratio), math.log(ratio), generator) / 2)
    wide = (area.sqrt() * stretch).clamp(max=1)
    high = (area.sqrt() / stretch).clamp(max=1)
    place_x, place_y = (uniform(count, -1, 1, generator) for _ in range(2))
    zoom = 1 / uniform(count, *recipe.zoom, generator)
    turn = math.radians(recipe.rotate_degrees)
    angle = uniform(count, -turn, turn, generator)
    slant = math.tan(math.radians(recipe.shear_degrees))
    shear = uniform(count, -slant, slant, generator)
    if recipe.crop is None:
        shift_x, shift_y = (1 - wide) * place_x, (1 - high) * place_y
    else:
        wide, high = wide * (target[1] / source[1]), high * (target[0] / source[0])
        # the piece covers so much of the picture only once it is zoomed
        shift_x, shift_y = (1 - wide * zoom) * place_x, (1 - high * zoom) * place_y
    # a turn by an angle is one in pixels, which are not as many across as down
    slope = target[0] / target[1]
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    rows = [
        wide * cos,
        wide * (shear * cos - sin) * slope,
        shift_x,
        high * sin / slope,
        high * (cos + shear * sin),
        shift_y,
    ]
    return torch.stack(rows, dim=1).reshape(count, 2, 3)
