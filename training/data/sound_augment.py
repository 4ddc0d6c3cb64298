"""Random changes of waveforms. All randomness comes from the generator handed in."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from training.data.warp import uniform
from training.sound_parts import SoundAugmentRecipe


def random_window(
    waveform: Tensor,
    samples: int,
    recipe: SoundAugmentRecipe,
    tail: Literal["align", "zeros"],
    generator: torch.Generator,
) -> Tensor:
    """Return a random piece (samples,) of a waveform (any length from 1 on,) float32.

    A waveform that is too short is filled up as the service does: with `align` it is repeated, but
    from a random place on; with `zeros` it lies in silence, at a random place.
    With `recipe.speed` the piece is played faster or slower, which moves pitch and tempo alike.
    """
    taken = samples
    if recipe.speed:
        speed = float(uniform(1, 1 - recipe.speed, 1 + recipe.speed, generator))
        taken = max(2, round(samples * speed))
    spare = len(waveform) - taken
    if spare >= 0:
        start = int(torch.randint(spare + 1, (1,), generator=generator))
        piece = waveform[start : start + taken]
    elif tail == "zeros":
        before = int(torch.randint(1 - spare, (1,), generator=generator))
        piece = functional.pad(waveform, (before, -spare - before))
    else:
        start = int(torch.randint(len(waveform), (1,), generator=generator))
        piece = waveform.roll(-start).repeat(-(-taken // len(waveform)))[:taken]
    if taken == samples:
        return piece
    # straight lines between samples: what they dull lies above what the filters tell apart
    stretched = functional.interpolate(
        piece.reshape(1, 1, -1), samples, mode="linear", align_corners=True
    )
    return stretched.reshape(-1)


def change_sounds(batch: Tensor, recipe: SoundAugmentRecipe, generator: torch.Generator) -> Tensor:
    """Return the waveforms (N, samples) float32, each changed in its own way.

    What the recipe leaves out draws nothing, so that it does not move the rest.
    """
    count = len(batch)
    if recipe.gain_db:
        decibels = uniform(count, -recipe.gain_db, recipe.gain_db, generator)
        batch = batch * (10 ** (decibels / 20)).unsqueeze(1)
    if recipe.polarity:
        batch = batch * (torch.randint(2, (count, 1), generator=generator) * 2 - 1)
    if recipe.noise:
        deviation = uniform(count, 0, recipe.noise, generator).unsqueeze(1)
        batch = batch + torch.randn(batch.shape, generator=generator) * deviation
    return batch
