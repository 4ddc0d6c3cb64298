"""A row of nodes that is put in front of a graph, or behind it."""

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper


class Piece:
    """Nodes that follow each other, in names of one module path.

    source: the tensor that the first node reads.
    last: the tensor that the next node reads unless told otherwise.
    """

    def __init__(self, path: str, source: str, opset: int) -> None:
        self.path = path
        self.source = self.last = source
        self._opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._counts: dict[str, int] = {}

    def add(
        self, op: str, *others: str, source: str = "", name: str = "", **attributes: Any
    ) -> str:
        """Add a node that reads the last tensor, or `source`, and others; return its output."""
        count = self._counts.get(op, 0)
        self._counts[op] = count + 1
        output = name or f"{self.path}/{op}" + (f":{count}" if count else "")
        inputs = [source or self.last, *others]
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        self.last = output
        return output

    def constant(self, what: str, values: Any) -> str:
        """Add a constant and return its name."""
        name = f"{self.path}.{what}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def with_axis(self, op: str, axis: int) -> str:
        """Add a Squeeze or Unsqueeze of one axis, as this opset writes it."""
        if self._opset < 13:
            return self.add(op, axes=[axis])
        return self.add(op, self.constant(f"axis_{axis}", np.array([axis])))

    def end(self, name: str) -> None:
        """Call the last tensor by that name; where there is no node, that is the source."""
        if not self.nodes:
            self.source = name
        else:
            self.nodes[-1].output[0] = self.nodes[-1].name = name
        self.last = name

    @property
    def names(self) -> set[str]:
        """Every name in it."""
        made = {name for node in self.nodes for name in node.output}
        return made | {tensor.name for tensor in self.constants}
