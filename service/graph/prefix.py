"""Cut a graph at a tensor: the prefix that computes it, as a model of its own."""

from collections.abc import Iterable, Iterator

import onnx

from service.graph.facts import Facts


def cut_prefix(model: onnx.ModelProto, *tensors: str) -> bytes:
    """Return the serialised model whose only outputs are the tensors.

    tensors: any node outputs, be they outputs of the graph or inside it.
    Only the nodes, weights and inputs that they depend on are kept; `model` is not touched.
    Raises: KeyError if no node makes such a tensor.
    """
    nodes = needed_nodes(model.graph, tensors)
    made = {name for node in nodes for name in node.output}
    for tensor in tensors:
        if tensor not in made:
            raise KeyError(tensor)
    read = {name for node in nodes for name in reads(node)}
    prefix = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    prefix.functions.extend(model.functions)
    prefix.graph.name = model.graph.name
    prefix.graph.node.extend(nodes)
    prefix.graph.initializer.extend(t for t in model.graph.initializer if t.name in read)
    prefix.graph.input.extend(value for value in model.graph.input if value.name in read)
    prefix.graph.output.extend(_outputs(model, tensors))
    return bytes(prefix.SerializeToString())


def needed_nodes(graph: onnx.GraphProto, tensors: Iterable[str]) -> list[onnx.NodeProto]:
    """Return the nodes that the tensors depend on, in the order of the graph."""
    needed, nodes = set(tensors), []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(reads(node))
            nodes.append(node)
    return nodes[::-1]


def reads(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the names that a node reads, those read by graphs inside it too."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from reads(inner)
            yield from (value.name for value in graph.output)


def _outputs(model: onnx.ModelProto, tensors: Iterable[str]) -> Iterator[onnx.ValueInfoProto]:
    """Yield the tensors' declarations, with open sizes where the model does not declare them."""
    declared: dict[str, onnx.ValueInfoProto] = {
        value.name: value for value in [*model.graph.value_info, *model.graph.output]
    }
    facts: Facts | None = None
    for tensor in tensors:
        if tensor in declared:
            yield declared[tensor]
        else:
            facts = facts or Facts(model)
            yield open_value(tensor, facts)


def open_value(tensor: str, facts: Facts) -> onnx.ValueInfoProto:
    """Return a declaration of the tensor that leaves all its sizes open."""
    found = facts.types.get(tensor)
    if found is None:
        return onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None)
    sizes = None if found.shape is None else [None] * len(found.shape)
    return onnx.helper.make_tensor_value_info(tensor, found.elem_type, sizes)
