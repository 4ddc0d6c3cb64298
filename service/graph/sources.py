"""Which cells a window reads along one axis, and a transposed one: what its cells then see."""

from service.contract.geometry import Window
from service.graph.cells import Cells


def through_window(cells: Cells, window: Window) -> Cells | None:
    """Return what the cells of a convolution or pooling see.

    >>> through_window(Cells(), Window(7, stride=2, pad_begin=3))
    Cells(begins=(-3,), ends=(4,), period=2.0)
    """

    def sources(cell: int) -> tuple[int, int]:
        first = cell * window.stride - window.pad_begin
        return first, first + window.extent - 1

    return cells.read_by(sources, advance=window.stride)


def through_transposed(cells: Cells, window: Window) -> Cells | None:
    """Return what the cells of a transposed convolution see; None if some see nothing at all.

    Its input cell i adds to the cells i * stride - pad_begin + k * dilation, k < kernel.

    >>> through_transposed(Cells(), Window(2, stride=2))
    Cells(begins=(0, 0), ends=(1, 1), period=1.0)
    """

    def read(cell: int) -> list[int]:
        touched = (cell + window.pad_begin - k * window.dilation for k in range(window.kernel))
        return [place // window.stride for place in touched if place % window.stride == 0]

    if not all(read(cell) for cell in range(window.stride)):
        return None
    return cells.read_by(lambda cell: (min(read(cell)), max(read(cell))), every=window.stride)
