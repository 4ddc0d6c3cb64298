"""Small nets as other people's tools write them: every opset, layout, type and habit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CLASSES = 5
SIDE = 12
FLOAT = TensorProto.FLOAT
FLOATS = {FLOAT: np.float32, TensorProto.FLOAT16: np.float16, TensorProto.DOUBLE: np.float64}


def value(name: str, shape: Sequence[Any] | None, kind: int = FLOAT) -> onnx.ValueInfoProto:
    """An input or output."""
    return helper.make_tensor_value_info(name, kind, shape)


def weights(dtype: Any = np.float32) -> dict[str, NDArray[Any]]:
    """The numbers of the net that most graphs here are."""
    random = np.random.default_rng(1)
    shapes = {
        "stem.weight": (6, 3, 3, 3),
        "block.conv.weight": (8, 6, 3, 3),
        "fc.weight": (8, CLASSES),
    }
    return {name: random.normal(0, 0.5, shape).astype(dtype) for name, shape in shapes.items()}


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: dict[str, NDArray[Any]],
    opset: int = 17,
    ir_version: int = 8,
) -> onnx.ModelProto:
    """A model; in IR version 3 its weights are among its inputs, as they had to be."""
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    given = list(inputs)
    if ir_version < 4:
        given += [value(t.name, t.dims, t.data_type) for t in tensors]
    graph = helper.make_graph(nodes, "net", given, outputs, tensors)
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)


def classifier(
    opset: int = 17,
    ir_version: int = 8,
    batch: Any = "n",
    kind: int = FLOAT,
    softmax: bool = False,
    last: bool = False,
    extra: Sequence[onnx.NodeProto] = (),
) -> onnx.ModelProto:
    """Two convolutions, a mean, a product: `pictures` to `scores` (batch, 5).

    kind: of input, weights and output. last: the input has its channels last.
    extra: nodes that make `scaled` of `pictures`.
    """
    first = "scaled" if extra else "pictures"
    nodes = list(extra)
    if last:
        nodes.append(helper.make_node("Transpose", [first], ["turned"], perm=[0, 3, 1, 2]))
        first = "turned"
    nodes += [
        helper.make_node("Conv", [first, "stem.weight"], ["a"], pads=[1] * 4, strides=[2, 2]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "block.conv.weight"], ["c"], pads=[1] * 4),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("GlobalAveragePool", ["d"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("MatMul", ["f", "fc.weight"], ["g" if softmax else "scores"]),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["g"], ["scores"], axis=1))
    shape = [batch, SIDE, SIDE, 3] if last else [batch, 3, SIDE, SIDE]
    ends = [value("pictures", shape, kind)], [value("scores", [batch, CLASSES], kind)]
    return model(nodes, *ends, weights(FLOATS[kind]), opset, ir_version)


def save(folder: Path, model: onnx.ModelProto, name: str = "net.onnx") -> Path:
    """Write the model and return its file."""
    file = folder / name
    file.write_bytes(model.SerializeToString())
    return file
