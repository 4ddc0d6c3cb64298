"""Random changes of colour and sharpness. All randomness comes from the generator handed in."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from training.data.warp import uniform
from training.recipe_parts import AugmentRecipe

# Luma and two colour differences of NTSC 1953 (FCC): hue is an angle in the plane of the two.
_TO_YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))


def recolor(batch: Tensor, recipe: AugmentRecipe, generator: torch.Generator) -> Tensor:
    """Return the pictures (N, C, H, W) float32 in 0..1, each changed in its own way.

    What the recipe leaves out draws nothing, so that it does not move the rest.
    """
    if recipe.jitter:
        batch = _jitter(batch, recipe.jitter, generator)
    if recipe.hue_degrees and batch.shape[1] == 3:
        batch = _turn_hue(batch, recipe.hue_degrees, generator)
    if recipe.gamma > 1:
        batch = batch ** torch.exp(_spread(batch, math.log(recipe.gamma), generator))
    if recipe.blur:
        share = _spread(batch, recipe.blur, generator).abs()
        batch = torch.lerp(batch, _blurred(batch), share)
    if recipe.noise:
        deviation = _spread(batch, recipe.noise, generator).abs()
        batch = (batch + torch.randn(batch.shape, generator=generator) * deviation).clamp(0, 1)
    return batch


def _spread(batch: Tensor, reach: float, generator: torch.Generator) -> Tensor:
    """Return one number a picture, (N, 1, 1, 1), in -reach..reach."""
    return uniform(len(batch), -reach, reach, generator).reshape(-1, 1, 1, 1)


def _jitter(batch: Tensor, reach: float, generator: torch.Generator) -> Tensor:
    count = len(batch)
    brightness, contrast, saturation = (
        uniform(count, 1 - reach, 1 + reach, generator).reshape(-1, 1, 1, 1) for _ in range(3)
    )
    batch = batch * brightness
    middle = batch.mean((1, 2, 3), keepdim=True)
    batch = (batch - middle) * contrast + middle
    gray = batch.mean(1, keepdim=True)
    return ((batch - gray) * saturation + gray).clamp(0, 1)


def _turn_hue(batch: Tensor, degrees: float, generator: torch.Generator) -> Tensor:
    angle = uniform(len(batch), -math.radians(degrees), math.radians(degrees), generator)
    turn = torch.eye(3).repeat(len(batch), 1, 1)
    turn[:, 1, 1] = turn[:, 2, 2] = angle.cos()
    turn[:, 1, 2], turn[:, 2, 1] = -angle.sin(), angle.sin()
    to_yiq = torch.tensor(_TO_YIQ)
    change = torch.linalg.inv(to_yiq) @ turn @ to_yiq  # (N, 3, 3)
    return (change @ batch.flatten(2)).reshape(batch.shape).clamp(0, 1)


def _blurred(batch: Tensor) -> Tensor:
    padded = functional.pad(batch, (1, 1, 1, 1), mode="replicate")
    return functional.avg_pool2d(padded, 3, stride=1)
