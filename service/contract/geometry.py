"""Sizes and receptive fields of windows that slide, along one axis."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.contract.errors import InvalidParameter


@dataclass(frozen=True)
class Window:
    """A convolution or pooling along one axis; all numbers in cells of its own input.

    pad_begin: cells added before the first one.
    """

    kernel: int
    stride: int = 1
    dilation: int = 1
    pad_begin: int = 0

    def __post_init__(self) -> None:
        if min(self.kernel, self.stride, self.dilation) < 1:
            raise InvalidParameter("kernel, stride and dilation must be at least 1")

    @property
    def extent(self) -> int:
        """Cells from the first to the last one touched."""
        return (self.kernel - 1) * self.dilation + 1


@dataclass(frozen=True)
class Field:
    """What a cell sees of the network's input along one axis, in input pixels.

    size: the receptive field, at least 1.
    jump: distance between the centres of neighbouring cells.
    start: centre of the first cell; the first pixel's centre is 0.5.
    Source: Araujo, Norris & Sim, doi:10.23915/distill.00021.
    """

    size: float = 1
    jump: float = 1
    start: float = 0.5


def through(field: Field, window: Window) -> Field:
    """Return the field of the window's output, given that of its input.

    >>> through(Field(), Window(7, stride=2, pad_begin=3))
    Field(size=7, jump=2, start=0.5)
    """
    return Field(
        size=field.size + (window.extent - 1) * field.jump,
        jump=field.jump * window.stride,
        start=field.start + ((window.extent - 1) / 2 - window.pad_begin) * field.jump,
    )


def receptive_field(windows: Sequence[Window]) -> int:
    """Return how many input pixels one output cell sees along an axis.

    windows: convolutions and poolings in forward order, on a single path.
    Returns: pixels, >= 1. An empty sequence sees exactly 1.

    >>> receptive_field([Window(3, stride=2), Window(3)])
    7
    """
    field = Field()
    for window in windows:
        field = through(field, window)
    return int(field.size)


def output_size(size: int, window: Window, pad_end: int) -> int:
    """Return (W - F + 2P) / S + 1, rounded down, for unequal paddings too.

    >>> output_size(227, Window(11, stride=4), pad_end=0)
    55
    """
    return (size - window.extent + window.pad_begin + pad_end) // window.stride + 1
