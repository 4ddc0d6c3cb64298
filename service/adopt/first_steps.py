"""What a graph does with its input before the first convolution looks at it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from service.graph.facts import Facts

Layout = Literal["NCHW", "NHWC"]
# Where the axes that a convolution reads come from in the input.
_LAYOUTS: dict[tuple[int, ...], Layout] = {(0, 1, 2, 3): "NCHW", (0, 3, 1, 2): "NHWC"}
_PASSING = {"Cast", "Identity", "QuantizeLinear", "DequantizeLinear", "Pad", "Resize", "Clip"}
_ARITHMETIC = {"Add", "Sub", "Mul", "Div"}
# Convolutions, and which of their inputs holds the weights.
_READERS = {"Conv": 1, "QLinearConv": 3, "ConvInteger": 1}


@dataclass(frozen=True)
class FirstSteps:
    """What is known before the first layer.

    layout: of the input, if the graph shows it; `by` is the operator that does.
    channels: how many the first convolution reads.
    arithmetic: operators with constants that the input goes through, such as (x - mean) / std.
    offset: the input that this makes zero, the mean over channels; slope: what it multiplies by.
    """

    layout: Layout | None
    by: str
    channels: int | None
    arithmetic: tuple[str, ...]
    offset: float
    slope: float


def read_first_steps(model: onnx.ModelProto, name: str) -> FirstSteps:
    """Follow the input as long as one operator reads it, up to the first convolution."""
    facts = Facts(model)
    axes, scale, shift = [0, 1, 2, 3], 1.0, 0.0
    done: list[str] = []
    for node, source in _chain(model.graph, name):
        if node.op_type in _READERS:
            weight = facts.shape(node.input[_READERS[node.op_type]])
            group = next((a.i for a in node.attribute if a.name == "group"), 1)
            channels = weight[1] * group if weight and weight[1] else None
            layout = _LAYOUTS.get(tuple(axes))
            zero = _zero(scale, shift)
            return FirstSteps(layout, node.op_type, channels, tuple(done), zero, scale)
        if node.op_type == "Transpose":
            order = next((list(a.ints) for a in node.attribute if a.name == "perm"), None)
            if order is None or len(order) != 4:
                break
            axes = [axes[axis] for axis in order]
        elif node.op_type in _ARITHMETIC:
            constant = _constant(model, node, source)
            if constant is None:
                break
            done.append(node.op_type)
            scale, shift = _apply(node.op_type, scale, shift, constant)
        elif node.op_type not in _PASSING:
            break
    return FirstSteps(None, "", None, tuple(done), _zero(scale, shift), scale)


def _chain(graph: onnx.GraphProto, name: str) -> Iterator[tuple[onnx.NodeProto, str]]:
    """Yield the nodes that follow each other, with the tensor that each reads."""
    while True:
        readers = [node for node in graph.node if name in node.input]
        # the shape is read on the side
        readers = [node for node in readers if node.op_type not in ("Shape", "Size")]
        if len(readers) != 1:
            # several convolutions that read the same still tell what it is
            convolutions = [node for node in readers if node.op_type in _READERS]
            if convolutions:
                yield convolutions[0], name
            return
        yield readers[0], name
        name = readers[0].output[0]


def _constant(
    model: onnx.ModelProto, node: onnx.NodeProto, source: str
) -> NDArray[np.float64] | None:
    other = node.input[1] if node.input[0] == source else node.input[0]
    if node.op_type in ("Sub", "Div") and node.input[0] != source:
        return None
    for tensor in model.graph.initializer:
        if tensor.name == other:
            return numpy_helper.to_array(tensor).astype(np.float64)
    for writer in model.graph.node:
        if writer.op_type == "Constant" and writer.output[0] == other:
            value: Any = onnx.helper.get_attribute_value(writer.attribute[0])
            if isinstance(value, onnx.TensorProto):
                value = numpy_helper.to_array(value)
            return np.asarray(value, np.float64)
    return None


def _apply(
    op: str, scale: float, shift: float, constant: NDArray[np.float64]
) -> tuple[float, float]:
    """Return scale and shift of input * scale + shift after one more step, over all channels."""
    middle = float(constant.mean()) if constant.size else 0.0
    match op:
        case "Add":
            return scale, shift + middle
        case "Sub":
            return scale, shift - middle
        case "Mul":
            return scale * middle, shift * middle
        case _:
            return (scale / middle, shift / middle) if middle else (scale, shift)


def _zero(scale: float, shift: float) -> float:
    return -shift / scale if scale else 0.0
