"""The filters that a layer has learned, or that it was given."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import InvalidParameter
from service.contract.specs import ImagePreprocessing
from service.graph.kernels import CONVOLUTIONS, Filters
from service.tasks.features import FeatureMaps

_MOST_NAMED = 5


@dataclass(frozen=True)
class Kernels:
    """The filters of a layer.

    values: (O, I, height, width) or (O, I, length), float32; those of 8 bits are scaled. A linear
        layer or a filterbank has one filter an output, over all of its inputs: (O, 1, inputs).
    colors: which channels of each filter read red, green and blue; None if they are not what the
        filter reads.
    """

    layer: str
    op: str
    values: NDArray[np.float32] = field(repr=False)
    colors: tuple[int, int, int] | None


def read_kernels(features: FeatureMaps, layer: str | None, preprocessing: object) -> Kernels:
    """Return the filters of the layer, or of the first convolution.

    layer: a tap's name or a module's path. preprocessing: of the model.
    Raises: UnknownLayer; InvalidParameter if it has no filters, or they depend on the input.
    """
    if layer is None:
        layer = next(_convolutions(features), None)
        if layer is None:
            raise InvalidParameter("This model has no convolution that can be looked at.")
    tap = features.tap(layer)
    filters = features.filters(tap.name)
    if filters is None:
        having = ", ".join(islice(_convolutions(features), _MOST_NAMED))
        hint = f" These have: {having}." if having else ""
        raise InvalidParameter(f"The layer {tap.name!r} ({tap.op}) has no filters.{hint}")
    values = _values(features, filters, tap.name)
    colors = None
    if values.ndim == 4 and values.shape[1] == 3 and isinstance(preprocessing, ImagePreprocessing):
        colors = _colors(features, filters.source, preprocessing)
    return Kernels(tap.name, filters.op, values, colors)


def _convolutions(features: FeatureMaps) -> Iterator[str]:
    """Yield the names of the layers that convolutions made."""
    for tap in features.all_taps:
        filters = features.filters(tap.name)
        if filters and filters.op in CONVOLUTIONS:
            yield tap.name


def _values(features: FeatureMaps, filters: Filters, layer: str) -> NDArray[np.float32]:
    """Return the filters (O, I, ...)."""

    def read(tensor: str) -> NDArray[Any]:
        found = features.constant(tensor)
        if found is None:
            raise InvalidParameter(
                f"The filters of the layer {layer!r} are no constants: they are computed from the "
                "input."
            )
        return found.astype(np.float32)

    values = read(filters.weights)
    along_outputs = (-1, *(1,) * (values.ndim - 1))
    if filters.zero_point:
        values = values - read(filters.zero_point).reshape(along_outputs)
    if filters.scale:
        values = values * read(filters.scale).reshape(along_outputs)
    if filters.op in ("Gemm", "MatMul"):
        if values.ndim != 2:
            raise InvalidParameter(f"The product of the layer {layer!r} is none with one matrix.")
        return (values if filters.outputs_first else values.T)[:, None]
    return _outputs_first(values, filters.groups) if filters.op == "ConvTranspose" else values


def _outputs_first(values: NDArray[np.float32], groups: int) -> NDArray[np.float32]:
    """Return the filters of a transposed convolution (I, O / groups, ...) as (O, I / groups, ...).

    >>> _outputs_first(np.zeros((6, 2, 3, 3), np.float32), groups=2).shape
    (4, 3, 3, 3)
    """
    inputs, outputs, *places = values.shape
    grouped = values.reshape(groups, inputs // groups, outputs, *places)
    return grouped.swapaxes(1, 2).reshape(groups * outputs, inputs // groups, *places)


def _colors(
    features: FeatureMaps, tensor: str, preprocessing: ImagePreprocessing
) -> tuple[int, int, int] | None:
    """Return which channels of the tensor are red, green and blue, found out by showing them.

    That holds whatever a file does to its input before the first layer: another order of colours,
    a normalisation, a change of precision.
    """
    if preprocessing.channels != 3:
        return None
    pictures = np.zeros((4, *preprocessing.reference_size, 3), np.uint8)
    for color in range(3):
        pictures[color + 1, :, :, color] = 255
    shown = features.run(tensor, pictures)
    if shown.ndim != 4 or shown.shape[1] != 3:
        return None
    change = (shown[1:] - shown[:1]).mean(axis=(2, 3))  # (colours, channels)
    order = change.argmax(axis=1)
    rest = np.abs(change).sum() - change[range(3), order].sum()
    if sorted(order) != [0, 1, 2] or rest > 1e-3 * change.max():
        return None
    red, green, blue = (int(channel) for channel in order)
    return red, green, blue


def kernel_figures(
    values: NDArray[np.float32], channels: Sequence[int]
) -> list[dict[str, float | int]]:
    """Return the figures of the filters with these numbers; the norm is the Euclidean one."""
    return [
        {
            "channel": channel,
            "minimum": float(values[channel].min()),
            "maximum": float(values[channel].max()),
            "mean": float(values[channel].mean(dtype=np.float64)),
            "norm": float(np.linalg.norm(values[channel].astype(np.float64))),
        }
        for channel in channels
    ]
