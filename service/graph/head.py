"""The end of a classifier: where its scores come from, and whether class activation maps exist."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from service.contract.specs import Shape
from service.graph.facts import Facts
from service.graph.prefix import cut_prefix

Matrix = NDArray[np.float64]
_SQUASHING = {"Softmax", "Sigmoid", "LogSoftmax"}
# They hand every number on, be it in another shape or rounded to fewer bits.
_PASSING = {
    "Identity",
    "Dropout",
    "Flatten",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Cast",
    "QuantizeLinear",
    "DequantizeLinear",
}
_TO_CHANNELS_LAST = {3: [0, 2, 1], 4: [0, 2, 3, 1]}


@dataclass(frozen=True)
class PooledHead:
    """A map, its mean over all cells, and scores that are linear in that mean.

    tap: name of the map (N, C, H, W) or (N, C, L).
    weights: (classes, C), how much each channel counts for each class.
    Source: Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016.
    """

    tap: str
    weights: Matrix = field(repr=False)


def scores_behind(model: onnx.ModelProto, probabilities: str) -> str:
    """Return the name of the tensor that becomes the probabilities by a softmax or a sigmoid.

    If neither makes them, they are the scores themselves.
    """
    makers = _makers(model)
    name = probabilities
    while name in makers and makers[name].op_type in _PASSING:
        name = makers[name].input[0]
    if name in makers and makers[name].op_type in _SQUASHING:
        return str(makers[name].input[0])
    return probabilities


def find_head(model: onnx.ModelProto, facts: Facts, scores: str) -> PooledHead | None:
    """Return the head if it is global average pooling and what is linear, else None.

    scores: name of the tensor (N, classes).
    """
    return _Walk(model, facts).from_scores(scores)


class _Walk:
    """The way back from the scores, with the weights that everything so far amounts to."""

    def __init__(self, model: onnx.ModelProto, facts: Facts) -> None:
        self._model, self._facts = model, facts
        self._makers = _makers(model)
        self._weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self._linear: dict[str, Callable[[onnx.NodeProto], tuple[str, Matrix] | None]] = {
            "Gemm": self._gemm,
            "MatMul": self._matmul,
            "Conv": self._conv,
            "Mul": self._scale,
            "Div": self._scale,
            "Add": self._shift,
            "Sub": self._shift,
        }

    def from_scores(self, scores: str) -> PooledHead | None:
        name, weights = scores, None
        while (node := self._makers.get(name)) is not None:
            pooled = self._pooled(node)
            if pooled:
                return self._head(pooled, weights)
            step = self._step(node)
            if step is None:
                return None
            name, matrix = step
            weights = _times(weights, matrix)
            if weights is None:
                return None
        return None

    def _head(self, pooled: str, weights: Matrix | None) -> PooledHead | None:
        channels = self._facts.size(pooled, 1)
        if channels is None:
            return None
        full = _times(weights, np.eye(channels))
        return None if full is None else PooledHead(pooled, full)

    def _step(self, node: onnx.NodeProto) -> tuple[str, Matrix] | None:
        """Return what the node reads, and the matrix or the factors that it multiplies it by."""
        if node.op_type in _PASSING:
            return node.input[0], np.ones(1)
        linear = self._linear.get(node.op_type)
        return linear(node) if linear else None

    def _gemm(self, node: onnx.NodeProto) -> tuple[str, Matrix] | None:
        how = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if how.get("transA") or not self._is_constant(node.input[1]):
            return None
        matrix = self._value(node.input[1])
        matrix = matrix if how.get("transB") else matrix.T
        return node.input[0], matrix * how.get("alpha", 1.0)

    def _matmul(self, node: onnx.NodeProto) -> tuple[str, Matrix] | None:
        if not self._is_constant(node.input[1]) or self._facts.rank(node.input[1]) != 2:
            return None
        return node.input[0], self._value(node.input[1]).T

    def _conv(self, node: onnx.NodeProto) -> tuple[str, Matrix] | None:
        """A convolution of a single cell is a fully connected layer."""
        sizes = (self._facts.shape(node.input[0]) or (1, 1, None))[2:]
        if any(size != 1 for size in sizes) or not self._is_constant(node.input[1]):
            return None
        kernel = self._value(node.input[1])
        if kernel.size != kernel.shape[0] * kernel.shape[1]:
            return None
        grouped = any(a.name == "group" and a.i != 1 for a in node.attribute)
        return None if grouped else (node.input[0], kernel.reshape(kernel.shape[:2]))

    def _scale(self, node: onnx.NodeProto) -> tuple[str, Matrix] | None:
        found = self._with_constant(node)
        if found is None or (node.op_type == "Div" and found[0] != node.input[0]):
            return None
        factors = self._value(found[1]).reshape(-1)
        return found[0], 1 / factors if node.op_type == "Div" else factors

    def _shift(self, node: onnx.NodeProto) -> tuple[str, Matrix] | None:
        found = self._with_constant(node)
        if found is None or (node.op_type == "Sub" and found[0] != node.input[0]):
            return None
        return found[0], np.ones(1)

    def _with_constant(self, node: onnx.NodeProto) -> tuple[str, str] | None:
        """Return the node's variable input and its constant one."""
        first, second = node.input
        if self._is_constant(second):
            return None if self._is_constant(first) else (first, second)
        return (second, first) if self._is_constant(first) else None

    def _pooled(self, node: onnx.NodeProto) -> str | None:
        """Return the map whose mean over all cells the node takes, or None."""
        source = str(node.input[0]) if node.input else ""
        sizes = (self._facts.shape(source) or ())[2:]
        if not sizes:
            return None
        if node.op_type == "GlobalAveragePool":
            return source
        if node.op_type == "ReduceMean":
            return self._mean_over(node, source, len(sizes))
        if node.op_type == "AveragePool":
            return source if self._covers_all(node, sizes) else None
        return None

    def _covers_all(self, node: onnx.NodeProto, sizes: Shape) -> bool:
        """Tell whether the only window there is covers all cells, and counts no padding."""
        how = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        pads = list(how.get("pads", [0] * 2 * len(sizes)))
        made = (self._facts.shape(node.output[0]) or (None,) * 3)[2:]
        if any(size != 1 for size in made) or how.get("auto_pad", b"NOTSET") != b"NOTSET":
            return False
        if any(pads) and how.get("count_include_pad"):
            return False
        windows = zip(how["kernel_shape"], pads, sizes, strict=False)
        return all(size is not None and begin + size <= kernel for kernel, begin, size in windows)

    def _mean_over(self, node: onnx.NodeProto, source: str, spatial: int) -> str | None:
        rank = spatial + 2
        written = [list(a.ints) for a in node.attribute if a.name == "axes"]
        given = self._facts.integers(node.input[1]) if len(node.input) > 1 else None
        axes = sorted(axis % rank for axis in (given or (written[0] if written else ())))
        if axes == list(range(2, rank)):
            return source
        maker = self._makers.get(source)
        turned = maker is not None and maker.op_type == "Transpose"
        if maker and turned and axes == list(range(1, rank - 1)):
            order = [list(a.ints) for a in maker.attribute if a.name == "perm"]
            if order == [_TO_CHANNELS_LAST.get(rank)]:
                return str(maker.input[0])
        return None

    def _is_constant(self, name: str) -> bool:
        return name in self._facts.constants

    def _value(self, name: str) -> Matrix:
        if name in self._weights:
            return numpy_helper.to_array(self._weights[name]).astype(np.float64)
        maker = self._makers[name]
        if maker.op_type == "DequantizeLinear":  # ONNX's evaluator has none before opset 19
            return self._dequantised(maker)
        from onnx.reference import ReferenceEvaluator  # slow to import, and seldom needed

        (value,) = ReferenceEvaluator(onnx.load_from_string(cut_prefix(self._model, name))).run(
            None, {}
        )
        return np.asarray(value, np.float64)

    def _dequantised(self, node: onnx.NodeProto) -> Matrix:
        values, *steps = (self._value(name) for name in node.input if name)
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        shape = [-1 if i == axis % values.ndim else 1 for i in range(values.ndim)]
        scale, zero = (
            s.reshape(shape) if s.size > 1 else s.reshape(()) for s in (*steps, np.zeros(1))[:2]
        )
        return (values - zero) * scale


def _times(weights: Matrix | None, matrix: Matrix) -> Matrix | None:
    """Return the product, or None if they do not fit; what has one axis stands for a diagonal."""
    if weights is None or weights.size == 1:
        return matrix if weights is None else matrix * weights.reshape(-1)
    if matrix.size == 1:
        return weights * matrix.reshape(-1)
    if weights.shape[-1] != len(matrix):
        return None
    if matrix.ndim == 1:
        return weights * matrix
    return weights[:, None] * matrix if weights.ndim == 1 else weights @ matrix


def _makers(model: onnx.ModelProto) -> dict[str, onnx.NodeProto]:
    return {name: node for node in model.graph.node for name in node.output}
