"""What a graph says about its tensors: types, shapes and constant values."""

from dataclasses import dataclass
from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper, shape_inference

from service.contract.specs import Shape

# Larger constants are weights; no shape is computed from them.
_SMALL = 1024


@dataclass(frozen=True)
class TensorType:
    """An ONNX element type and a shape with None for unknown sizes; None if even the rank is."""

    elem_type: int
    shape: Shape | None

    @property
    def is_float(self) -> bool:
        """Whether the elements are floating point numbers of any precision."""
        return self.elem_type in _FLOATS


_FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE}


class Facts:
    """Types and constants of all tensors of a model, for a batch of one."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._initializers = {tensor.name: tensor for tensor in model.graph.initializer}
        self._written = {
            node.output[0]: node for node in model.graph.node if node.op_type == "Constant"
        }
        self.opset = next(
            (entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 1
        )
        self.constants = _constants(model)
        self.types = _infer_types(model)

    def shape(self, name: str) -> Shape | None:
        """Return the tensor's shape, or None if it cannot be told."""
        found = self.types.get(name)
        return found.shape if found else None

    def size(self, name: str, axis: int) -> int | None:
        """Return the tensor's size along the axis, or None if it cannot be told."""
        shape = self.shape(name)
        return shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else None

    def rank(self, name: str) -> int | None:
        """Return how many axes the tensor has, or None if it cannot be told."""
        shape = self.shape(name)
        return None if shape is None else len(shape)

    def integers(self, name: str) -> list[int] | None:
        """Return the values of a constant integer tensor, or None if it is no such thing."""
        values = self._value(name)
        if values is None or values.dtype.kind not in "iu":
            return None
        return [int(value) for value in values.reshape(-1)]

    def floats(self, name: str) -> list[float] | None:
        """Return the values of a constant float tensor, or None if it is no such thing."""
        values = self._value(name)
        if values is None or values.dtype.kind != "f":
            return None
        return [float(value) for value in values.reshape(-1).astype(np.float64)]

    def _value(self, name: str) -> NDArray[np.generic] | None:
        if name in self._initializers:
            return numpy_helper.to_array(self._initializers[name])
        for attribute in self._written[name].attribute if name in self._written else ():
            value = onnx.helper.get_attribute_value(attribute)
            return numpy_helper.to_array(value) if attribute.name == "value" else np.asarray(value)
        return None


def elements(shape: Shape | None) -> int | None:
    """Return how many elements a tensor of that shape has, or None if a size is unknown.

    >>> elements((3, 5, 5)), elements((None, 3))
    (75, None)
    """
    if shape is None:
        return None
    known = [size for size in shape if size is not None]
    return prod(known) if len(known) == len(shape) else None


def _constants(model: onnx.ModelProto) -> set[str]:
    """Return the names of initializers and of everything computed from constants alone."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = {value.name for value in model.graph.input} - constants
    for node in model.graph.node:
        has_body = any(a.type == onnx.AttributeProto.GRAPH for a in node.attribute)
        if not has_body and all(name in constants for name in node.input if name):
            constants.update(name for name in node.output if name not in inputs)
    return constants


def _infer_types(model: onnx.ModelProto) -> dict[str, TensorType]:
    try:
        inferred = shape_inference.infer_shapes(_weightless(model), data_prop=True).graph
    except Exception:  # a graph that cannot be understood is still shown as far as it tells itself
        inferred = model.graph
    values = [*inferred.input, *inferred.value_info, *inferred.output]
    weights = {t.name: TensorType(t.data_type, tuple(t.dims)) for t in model.graph.initializer}
    types = {value.name: _tensor_type(value) for value in values} | weights
    for value in model.graph.value_info:  # what no operator tells, the file may
        if not _is_whole(types.get(value.name)):
            copy = onnx.ValueInfoProto()
            _one_item(copy, value)
            types[value.name] = _tensor_type(copy)
    return types


def _is_whole(found: TensorType | None) -> bool:
    return found is not None and found.shape is not None and None not in found.shape


def _weightless(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy for one item a batch, whose large initializers have become inputs."""
    # before version 4 every initializer had to be an input as well
    copy = onnx.ModelProto(ir_version=max(4, model.ir_version), opset_import=model.opset_import)
    copy.functions.extend(model.functions)
    copy.graph.name = model.graph.name
    copy.graph.node.extend(model.graph.node)
    names = {tensor.name for tensor in model.graph.initializer}
    for value in (value for value in model.graph.input if value.name not in names):
        _one_item(copy.graph.input.add(), value)
    for tensor in model.graph.initializer:
        if prod(tensor.dims) <= _SMALL:
            copy.graph.initializer.append(tensor)
        else:
            weight = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            copy.graph.input.append(weight)
    for value in model.graph.output:
        output = copy.graph.output.add(name=value.name)
        output.type.tensor_type.elem_type = value.type.tensor_type.elem_type
    return copy


def _one_item(copy: onnx.ValueInfoProto, value: onnx.ValueInfoProto) -> None:
    copy.CopyFrom(value)
    axes = copy.type.tensor_type.shape.dim
    if axes and axes[0].WhichOneof("value") != "dim_value":
        axes[0].dim_value = 1


def _tensor_type(value: onnx.ValueInfoProto) -> TensorType:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return TensorType(tensor.elem_type, None)
    sizes = (axis.dim_value if axis.HasField("dim_value") else None for axis in tensor.shape.dim)
    return TensorType(tensor.elem_type, tuple(sizes))
