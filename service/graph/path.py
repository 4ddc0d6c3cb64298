"""The way through a graph: the nodes that carry what goes in to what comes out."""

from collections.abc import Iterator

import onnx

# They measure a tensor; what they give is not its content.
_SHAPE_ARITHMETIC = {"Shape", "Size"}


def reads(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the names that a node reads, those read by graphs inside it too."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from reads(inner)
            yield from (value.name for value in graph.output)


def needed_nodes(graph: onnx.GraphProto, outputs: set[str]) -> list[onnx.NodeProto]:
    """Return the nodes without which the tensors cannot be computed, in the graph's order."""
    needed, nodes = set(outputs), []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(reads(node))
            nodes.append(node)
    return nodes[::-1]


def data_path(graph: onnx.GraphProto, inputs: set[str]) -> list[onnx.NodeProto]:
    """Return the nodes between the inputs and the outputs, in the order of the graph."""
    reached, path = set(inputs), []
    for node in needed_nodes(graph, {value.name for value in graph.output}):
        if node.op_type not in _SHAPE_ARITHMETIC and not reached.isdisjoint(reads(node)):
            reached.update(filter(None, node.output))
            path.append(node)
    return path
