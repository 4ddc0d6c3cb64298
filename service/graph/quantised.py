"""Graphs that compute with bytes: the same operators with floats, and what the bytes mean."""

from typing import NamedTuple

import onnx


class _Form(NamedTuple):
    """A quantised operator. inputs: those that the plain one has too, in its order.

    step: the input with the step of the output, of which the next one is the zero point.
    """

    op: str
    inputs: tuple[int, ...]
    step: int


# https://onnx.ai/onnx/operators and ONNX Runtime's docs/ContribOperators.md
_FORMS = {
    "QLinearConv": _Form("Conv", (0, 3, 8), 6),
    "QLinearMatMul": _Form("MatMul", (0, 3), 6),
    "QGemm": _Form("Gemm", (0, 3, 6), 7),
    "QLinearAdd": _Form("Add", (0, 3), 6),
    "QLinearMul": _Form("Mul", (0, 3), 6),
    "QLinearAveragePool": _Form("AveragePool", (0,), 3),
    "QLinearGlobalAveragePool": _Form("GlobalAveragePool", (0,), 3),
    "QLinearLeakyRelu": _Form("LeakyRelu", (0,), 3),
    "QLinearSigmoid": _Form("Sigmoid", (0,), 3),
    "QLinearSoftmax": _Form("Softmax", (0,), 3),
    "QLinearReduceMean": _Form("ReduceMean", (0,), 3),
}
_QUANTIZE, _CONCAT = "QuantizeLinear", "QLinearConcat"
# They hand bytes on as they are.
_PASSING = {
    "DepthToSpace",
    "Flatten",
    "Gather",
    "Identity",
    "MaxPool",
    "Reshape",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
}


class Step(NamedTuple):
    """The tensors that say what bytes mean: (byte - zero_point) * scale; zero_point may be ""."""

    scale: str
    zero_point: str


def plain(node: onnx.NodeProto) -> onnx.NodeProto:
    """Return the node as it would be with floats: `Conv` for `QLinearConv`; others as they are."""
    if node.op_type == _CONCAT:
        op, inputs = "Concat", list(node.input[2::3])
    elif node.op_type in _FORMS:
        form = _FORMS[node.op_type]
        op, inputs = form.op, [node.input[i] for i in form.inputs if i < len(node.input)]
    else:
        return node
    same = onnx.NodeProto(op_type=op, name=node.name, input=inputs, output=node.output)
    same.attribute.extend(node.attribute)
    return same


def steps(graph: onnx.GraphProto) -> dict[str, Step]:
    """Return what the bytes mean in every tensor of activations that is quantised."""
    found: dict[str, Step] = {}
    for node in graph.node:
        step = _step(node, found)
        if step is not None:
            found.update(dict.fromkeys(filter(None, node.output), step))
    return found


def _step(node: onnx.NodeProto, found: dict[str, Step]) -> Step | None:
    if node.op_type in _PASSING:
        return found.get(node.input[0])
    if node.op_type in _FORMS:
        position = _FORMS[node.op_type].step
    elif node.op_type in (_QUANTIZE, _CONCAT):
        position = 1 if node.op_type == _QUANTIZE else 0
    else:
        return None
    scale, zero_point = [*node.input[position : position + 2], "", ""][:2]
    return Step(scale, zero_point) if scale else None
