"""Which constants of a graph are the filters that made a tensor."""

from dataclasses import dataclass, replace

import onnx

from service.graph.windows import attributes

# What the values of their input stay the same through, but for their order and precision.
_PASSED = {
    "Cast",
    "DequantizeLinear",
    "Identity",
    "QuantizeLinear",
    "Reshape",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
}
CONVOLUTIONS = {"Conv", "ConvInteger", "ConvTranspose", "QLinearConv"}
_PRODUCTS = {"Gemm", "MatMul", "MatMulInteger", "QGemm", "QLinearMatMul"}


@dataclass(frozen=True)
class Filters:
    """Where the filters of a layer are.

    op: of the node that they belong to.
    source: the tensor that the filters are laid over.
    weights: the tensor of the filters: (O, I / groups, ...) of a convolution, (I, O / groups, ...)
        of a transposed one, a matrix of a product.
    scale, zero_point: tensors of integer weights, which stand for (weight - zero_point) * scale.
    outputs_first: whether the matrix has a row an output.
    """

    op: str
    source: str
    weights: str
    scale: str = ""
    zero_point: str = ""
    groups: int = 1
    outputs_first: bool = True


class FilterFinder:
    """Finds the filters of the tensors of one graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._makers = {name: node for node in graph.node for name in node.output if name}
        self._constants = {tensor.name for tensor in graph.initializer}

    def find(self, tensor: str) -> Filters | None:
        """Return the filters of the convolution or matrix product that made the tensor, if any.

        Steps that change nothing but order and precision may lie between.
        """
        node = self._makers.get(tensor)
        while node is not None and node.op_type in _PASSED:
            node = self._makers.get(node.input[0])
        if node is None:
            return None
        if node.op_type in CONVOLUTIONS:
            found = _of_convolution(node)
            return replace(found, source=self._before_bytes(found.source))
        return self._of_product(node) if node.op_type in _PRODUCTS else None

    def _of_product(self, node: onnx.NodeProto) -> Filters | None:
        turned = bool(attributes(node).get("transB", 0))
        if node.op_type in ("QGemm", "QLinearMatMul"):
            weights, scale, zero_point = node.input[3:6]
            return Filters(
                node.op_type,
                self._before_bytes(node.input[0]),
                weights,
                scale,
                zero_point,
                outputs_first=turned,
            )
        left, right = node.input[:2]
        if node.op_type == "MatMulInteger":
            zero_point = node.input[3] if len(node.input) > 3 else ""
            left = self._before_bytes(left)
            return Filters(node.op_type, left, right, "", zero_point, outputs_first=False)
        if self._is_weight(right):
            return Filters(node.op_type, left, right, outputs_first=turned)
        if node.op_type == "MatMul" and self._is_weight(left):
            return Filters(node.op_type, right, left)
        return None

    def _before_bytes(self, name: str) -> str:
        """Return the floats, of which maps are shown, where the graph makes bytes of them."""
        maker = self._makers.get(name)
        makes = maker is not None and maker.op_type in ("DynamicQuantizeLinear", "QuantizeLinear")
        return str(maker.input[0]) if maker and makes else name

    def _is_weight(self, name: str) -> bool:
        """Whether it is a constant, or one in another order or precision."""
        while name in self._makers and self._makers[name].op_type in _PASSED:
            name = self._makers[name].input[0]
        return name in self._constants or name not in self._makers


def _of_convolution(node: onnx.NodeProto) -> Filters:
    source, groups = node.input[0], int(attributes(node).get("group", 1))
    if node.op_type == "QLinearConv":
        weights, scale, zero_point = node.input[3:6]
        return Filters(node.op_type, source, weights, scale, zero_point, groups)
    if node.op_type == "ConvInteger":
        zero_point = node.input[3] if len(node.input) > 3 else ""
        return Filters(node.op_type, source, node.input[1], "", zero_point, groups)
    return Filters(node.op_type, source, node.input[1], groups=groups)
