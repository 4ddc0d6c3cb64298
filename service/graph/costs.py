"""What a node costs: learned parameters and multiply-accumulates for one item."""

from math import ceil, log2

import onnx

from service.graph.facts import Facts, elements
from service.graph.windows import attributes, read_frames

# How many inputs from position 1 on are learned; running statistics are not.
_LEARNED = {
    "BatchNormalization": 2,
    "Conv": 2,
    "ConvTranspose": 2,
    "Gemm": 2,
    "GroupNormalization": 2,
    "InstanceNormalization": 2,
    "LayerNormalization": 2,
    "MatMul": 1,
    "PRelu": 1,
}
_ARITHMETIC = {"Add", "Sub", "Mul", "Div"}


def has_weights(node: onnx.NodeProto) -> bool:
    """Whether the node is a layer that learns, not mere arithmetic."""
    return node.op_type in _LEARNED


def learned(node: onnx.NodeProto, facts: Facts, behind_weights: bool) -> dict[str, int]:
    """Return the sizes of the node's learned constants by name.

    behind_weights: whether a layer with weights comes before; only then are the
        constants of additions and multiplications learned ones. Those in front
        of the first layer normalise the input.
    """
    if node.op_type in _ARITHMETIC and behind_weights:
        names = [name for name in node.input if facts.rank(name)]
    elif node.op_type == "MatMul":
        names = list(node.input)
    else:
        names = list(node.input[1 : 1 + _LEARNED.get(node.op_type, 0)])
    constants = [name for name in names if name in facts.constants]
    return {name: elements(facts.shape(name)) or 0 for name in constants}


def multiply_accumulates(node: onnx.NodeProto, facts: Facts) -> int | None:
    """Return the node's multiply-accumulates for one item, or None if a size is unknown.

    Convolutions and matrix products count, biases and elementwise operators do not. Frames of a
    short-time Fourier transform count as a fast one of real numbers does them: n log2 n for n
    samples, where its definition would multiply n (n + 2) times.
    """
    match node.op_type:
        case "STFT":
            return _fast_fourier(node, facts)
        case "Conv":
            sums, terms = node.output[0], _all_but_first(facts, node.input[1])
        case "ConvTranspose":
            sums, terms = node.input[0], _all_but_first(facts, node.input[1])
        case "Gemm":
            across = 0 if attributes(node).get("transA", 0) else 1
            sums, terms = node.output[0], facts.size(node.input[0], across)
        case "MatMul":
            sums, terms = node.output[0], facts.size(node.input[0], -1)
        case _:
            return 0
    shape = facts.shape(sums)
    cells = elements(shape[1:]) if shape else None
    return None if cells is None or terms is None else cells * terms


def _fast_fourier(node: onnx.NodeProto, facts: Facts) -> int | None:
    window, frames = read_frames(node, facts), facts.size(node.output[0], 1)
    if window is None or frames is None:
        return None
    return frames * window.kernel * ceil(log2(window.kernel))


def _all_but_first(facts: Facts, weight: str) -> int | None:
    shape = facts.shape(weight)
    return elements(shape[1:]) if shape else None
