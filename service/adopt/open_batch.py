"""Graphs that were exported for one batch size, opened for any."""

import numpy as np
import onnx
from onnx import numpy_helper

from service.graph.facts import Facts


def open_batch(model: onnx.ModelProto, size: int) -> onnx.ModelProto:
    """Return the model with its reshapes keeping the batch, where they had its size written in.

    size: of the batch that the graph was exported for.
    A reshape of (size, ...) to (size, ...) is one to (0, ...), by which ONNX means "as it was";
    for a batch of that size nothing changes. Whether it holds for others has to be proven.
    """
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    graph, facts = opened.graph, Facts(model)
    values = _constants(graph)
    for node in graph.node:
        if node.op_type != "Reshape" or len(node.input) < 2 or node.input[1] not in values:
            continue
        wanted = values[node.input[1]]
        from_batch = facts.size(node.input[0], 0) in (size, None)
        if wanted.size and wanted[0] == size and from_batch and 0 not in wanted:
            name = f"{node.output[0]}_shape"
            graph.initializer.append(
                numpy_helper.from_array(np.array([0, *wanted[1:]], np.int64), name)
            )
            node.input[1] = name
            for attribute in (a for a in node.attribute if a.name == "allowzero"):
                attribute.i = 0
    return opened


def _constants(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """Return the integers that are written in the graph, by name."""
    found = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if tensor.data_type == onnx.TensorProto.INT64 and len(tensor.dims) == 1
    }
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            value = numpy_helper.to_array(node.attribute[0].t)
            if value.dtype == np.int64 and value.ndim == 1:
                found[node.output[0]] = value
    return found
