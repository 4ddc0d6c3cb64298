"""The one input that a graph takes, and how an array of pictures or sounds becomes it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from service.adopt.refusal import CannotAdd

Axes = tuple[int | None, ...]
# What the composed prologue can cast to.
DTYPES: dict[int, Any] = {
    TensorProto.FLOAT: np.float32,
    TensorProto.FLOAT16: np.float16,
    TensorProto.DOUBLE: np.float64,
    TensorProto.UINT8: np.uint8,
}


@dataclass(frozen=True)
class GraphInput:
    """The input as the graph declares it; None for sizes that it leaves open."""

    name: str
    elem_type: int
    axes: Axes

    @property
    def dtype(self) -> Any:
        """The NumPy type of its elements."""
        return DTYPES[self.elem_type]

    @property
    def batch(self) -> int | None:
        """How many items it takes at once; None for any number."""
        return self.axes[0]

    def __str__(self) -> str:
        sizes = ", ".join("any" if size is None else str(size) for size in self.axes)
        return f"{self.name!r}, {np.dtype(self.dtype).name} ({sizes})"


def only_input(model: onnx.ModelProto) -> GraphInput:
    """Return the input; raises CannotAdd if there are several, or one that is no numbers."""
    values = model.graph.input
    if len(values) != 1:
        names = ", ".join(repr(value.name) for value in values) or "none"
        raise CannotAdd(
            f"The graph has {len(values)} inputs ({names}); one picture or sound goes in, "
            "so there must be one."
        )
    (value,) = values
    if value.type.WhichOneof("value") != "tensor_type":
        kind = (value.type.WhichOneof("value") or "untyped").removesuffix("_type")
        raise CannotAdd(f"The input {value.name!r} is a {kind}, not a tensor.")
    tensor = value.type.tensor_type
    if tensor.elem_type not in DTYPES:
        name = TensorProto.DataType.Name(tensor.elem_type).lower()
        raise CannotAdd(
            f"The input {value.name!r} takes {name}; pictures and sounds can be made float32, "
            "float16, float64 or uint8."
        )
    if not tensor.HasField("shape"):
        raise CannotAdd(f"The input {value.name!r} does not say how many axes it has.")
    sizes = (axis.dim_value if axis.dim_value > 0 else None for axis in tensor.shape.dim)
    return GraphInput(value.name, tensor.elem_type, tuple(sizes))


def as_type(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return the values in that type, contiguous."""
    return np.ascontiguousarray(values.astype(dtype))
