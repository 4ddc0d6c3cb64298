"""How near a composed graph has to come to what the original gave."""

from typing import Literal

import numpy as np
import onnx

from service.adopt.expected import Arrays

Precision = Literal["float32", "float16", "int8"]
# Of the largest output, and of each: what other processors and providers may round otherwise.
# A GPU really computes in float16 where a CPU does so in float32; eight bits are a step of 1/255,
# and processors without VNNI saturate sums of products.
_TOLERANCES: dict[Precision, tuple[float, float]] = {
    "float32": (1e-4, 1e-3),
    "float16": (5e-3, 1e-2),
    "int8": (5e-2, 5e-2),
}
_FLOAT16_SHARE = 0.5


def precision_of(model: onnx.ModelProto) -> Precision:
    """Return what the weights are stored in."""
    ops = {node.op_type for node in model.graph.node}
    if ops & {"QuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}:
        return "int8"
    sizes = {True: 0, False: 0}
    for tensor in model.graph.initializer:
        half = tensor.data_type == onnx.TensorProto.FLOAT16
        sizes[half] += int(np.prod(tensor.dims))
    return "float16" if sizes[True] > _FLOAT16_SHARE * max(1, sum(sizes.values())) else "float32"


def tolerance(precision: Precision, expected: Arrays) -> tuple[float, float]:
    """Return atol and rtol for the golden check; logits far from zero are allowed more."""
    share, relative = _TOLERANCES[precision]
    largest = max(float(np.abs(v).max()) for name, v in expected.items() if name != "mask")
    return share * max(1.0, largest), relative
