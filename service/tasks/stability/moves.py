"""How a picture is moved: shifted, turned, enlarged and bent, in pixels of the model's input."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from service.contract.errors import InvalidParameter
from service.contract.preprocess import Pixels
from service.tasks.stability.warp import Source, at_rest, warp

Transform = Literal["shift", "rotate", "scale", "deform", "gain", "speed"]

_DIRECTIONS = {"across": (0, 1), "down": (1, 0), "diagonal": (1, 1)}
_FIELDS = ("first field", "second field")
# Of the shorter side, a picture is shifted by a quarter at most.
_SHIFT_SHARE = 4
# Simard, Steinkraus and Platt (2003) smooth over 4 of 29 pixels, and bend by 2 of 29. Where that
# would fold a picture here and there, three quarters of it does not.
_SMOOTH_SHARE = 7
_BEND_SHARE = 20


@dataclass(frozen=True)
class Steps:
    """How far inputs are moved. shifts_px: to either side. bends: steps up to the strongest."""

    shifts_px: tuple[int, ...]
    degrees: tuple[float, ...]
    factors: tuple[float, ...]
    bends: int


# All four together are 89 runs.
FINE = Steps(
    shifts_px=tuple(range(1, 9)),
    degrees=tuple(map(float, range(-30, 31, 5))),
    factors=tuple(percent / 100 for percent in range(70, 131, 5)),
    bends=8,
)
# 45 runs, for models that take long for each.
COARSE = Steps(
    shifts_px=(1, 2, 4, 8),
    degrees=tuple(map(float, range(-30, 31, 10))),
    factors=tuple(percent / 100 for percent in range(70, 131, 10)),
    bends=4,
)


@dataclass(frozen=True)
class Sweep:
    """One way to move an input, ever further.

    variant: tells sweeps of one transform apart.
    unit: of the amounts: px, degrees, factor, ms or dB.
    amounts: in their order; `rest` is among them, the one that moves nothing.
    """

    transform: Transform
    variant: str | None
    unit: str
    amounts: tuple[float, ...]
    rest: float

    @property
    def moving(self) -> list[float]:
        """The amounts that move something."""
        return [amount for amount in self.amounts if amount != self.rest]


class PictureMoves:
    """The moves of one picture. pixels: (H, W, C) uint8, the model's input. steps: how many."""

    transforms: tuple[Transform, ...] = ("shift", "rotate", "scale", "deform")
    noun = "pictures"

    def __init__(self, pixels: Pixels, steps: Steps = FINE) -> None:
        self.rest = pixels
        self._steps = steps
        self._size = pixels.shape[:2]
        self._bends: dict[str, Source] = {}

    def sweeps(self, transform: Transform) -> list[Sweep]:
        """Return how far it is moved; the smaller the input, the less. Raises: InvalidParameter."""
        shorter = min(self._size)
        if transform == "shift":
            most = max(1, shorter // _SHIFT_SHARE)
            right = tuple(float(pixels) for pixels in self._steps.shifts_px if pixels <= most)
            amounts = (*(-pixels for pixels in reversed(right)), 0.0, *right)
            return [Sweep("shift", name, "px", amounts, 0.0) for name in _DIRECTIONS]
        if transform == "rotate":
            return [Sweep("rotate", None, "degrees", self._steps.degrees, 0.0)]
        if transform == "scale":
            return [Sweep("scale", None, "factor", self._steps.factors, 1.0)]
        if transform == "deform":
            count = self._steps.bends
            step = shorter / _BEND_SHARE / count
            strengths = tuple(round(number * step, 3) for number in range(count + 1))
            return [Sweep("deform", field, "px", strengths, 0.0) for field in _FIELDS]
        raise not_offered(transform, self.noun, self.transforms)

    def source(self, sweep: Sweep, amount: float) -> Source:
        """Return where each pixel of the moved picture comes from, (2, H, W).

        A positive shift is to the right and down, a positive turn anticlockwise; a factor above
        1 enlarges. A bend is as many pixels as its strength says, as the root of the mean square.
        """
        rest = at_rest(self._size)
        centre = (np.array(self._size).reshape(2, 1, 1) - 1) / 2
        if sweep.transform == "shift":
            direction = np.array(_DIRECTIONS[sweep.variant or ""]).reshape(2, 1, 1)
            return np.asarray(rest - amount * direction)
        if sweep.transform == "rotate":
            down, right = rest - centre
            cos, sin = np.cos(np.deg2rad(amount)), np.sin(np.deg2rad(amount))
            turned = np.stack([right * sin + down * cos, right * cos - down * sin])
            return np.asarray(centre + turned)
        if sweep.transform == "scale":
            return np.asarray(centre + (rest - centre) / amount)
        return np.asarray(rest + amount * self._bend(sweep.variant or ""))

    def moved(self, sweep: Sweep, amount: float) -> Pixels:
        """Return the moved picture, of the size that it had."""
        return warp(self.rest, self.source(sweep, amount))

    def _bend(self, field: str) -> Source:
        if field not in self._bends:
            smooth_px = min(self._size) / _SMOOTH_SHARE
            self._bends[field] = smooth_field(self._size, smooth_px, seed=_FIELDS.index(field))
        return self._bends[field]


def smooth_field(size: tuple[int, ...], smooth_px: float, seed: int) -> Source:
    """Return random displacements (2, H, W) whose mean square length is 1, always the same.

    Their mean is nothing; where there is one pixel only, so are they.

    smooth_px: standard deviation of the Gaussian that smooths them; the field goes on round the
        border, as if opposite sides touched.
    Source: Simard, Steinkraus & Platt (2003), doi:10.1109/ICDAR.2003.1227801.
    """
    noise = np.random.default_rng(seed).normal(size=(2, *size))
    down, right = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])
    gaussian = np.exp(-2 * (np.pi * smooth_px) ** 2 * (down**2 + right**2))
    gaussian[0, 0] = 0  # what moves all pixels alike is a shift
    smooth = np.fft.irfft2(np.fft.rfft2(noise) * gaussian, s=size)
    length = np.sqrt(np.mean(np.sum(smooth**2, axis=0)))
    return np.asarray(smooth / (length or 1.0))


def not_offered(asked: Transform, noun: str, offered: tuple[Transform, ...]) -> InvalidParameter:
    """Return the error of a transform that makes no sense for such inputs."""
    return InvalidParameter(
        f"transform={asked}: this model takes {noun}, for which there is {', '.join(offered)}."
    )
