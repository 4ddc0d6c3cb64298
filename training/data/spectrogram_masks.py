"""SpecAugment: blanks stretches of time and of frequency in spectrograms."""

import torch
from torch import Tensor

from training.sound_parts import SoundAugmentRecipe


def mask_spectrograms(spectrograms: Tensor, recipe: SoundAugmentRecipe) -> Tensor:
    """Return (N, 1, mels, frames) with `recipe.masks` stretches along either axis set to zero.

    Zero is the mean of a levelled spectrogram. Randomness comes from torch's global generator,
    as that of dropout does. Source: Park et al., arXiv:1904.08779, without its time warping.
    """
    _, _, mels, frames = spectrograms.shape
    for _ in range(recipe.masks):
        rows = _stretch(spectrograms, mels, recipe.frequency_share).unsqueeze(2)
        columns = _stretch(spectrograms, frames, recipe.time_share).unsqueeze(1)
        spectrograms = spectrograms.masked_fill((rows | columns).unsqueeze(1), 0)
    return spectrograms


def _stretch(like: Tensor, cells: int, share: float) -> Tensor:
    """Return (N, cells) bool: of each item, one stretch of at most that share of the cells."""
    width = torch.rand(len(like), 1, device=like.device) * (share * cells)
    first = torch.rand(len(like), 1, device=like.device) * (cells - width)
    place = torch.arange(cells, device=like.device)
    return (place >= first) & (place < first + width)
