"""Cut a graph at tensors: the prefix that computes them, as a model of its own."""

from collections.abc import Iterable, Iterator

import onnx

from service.graph.facts import Facts


def cut_prefix(model: onnx.ModelProto, *tensors: str) -> bytes:
    """Return the serialised model whose only outputs are the tensors.

    tensors: any node outputs, be they outputs of the graph or inside it.
    Only the nodes, weights and inputs that they depend on are kept; `model` is not touched.
    Raises: KeyError if no node makes such a tensor.
    """
    nodes = _needed_nodes(model.graph, tensors)
    made = {name for node in nodes for name in node.output}
    for tensor in tensors:
        if tensor not in made:
            raise KeyError(tensor)
    read = {name for node in nodes for name in _reads(node)}
    prefix = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    prefix.functions.extend(model.functions)
    prefix.graph.name = model.graph.name
    prefix.graph.node.extend(nodes)
    prefix.graph.initializer.extend(t for t in model.graph.initializer if t.name in read)
    prefix.graph.input.extend(value for value in model.graph.input if value.name in read)
    prefix.graph.output.extend(_outputs(model, tensors))
    return bytes(prefix.SerializeToString())


def _needed_nodes(graph: onnx.GraphProto, tensors: Iterable[str]) -> list[onnx.NodeProto]:
    needed, nodes = set(tensors), []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(_reads(node))
            nodes.append(node)
    return nodes[::-1]


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the names that a node reads, those read by graphs inside it too."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _reads(inner)
            yield from (value.name for value in graph.output)


def _outputs(model: onnx.ModelProto, tensors: Iterable[str]) -> Iterator[onnx.ValueInfoProto]:
    """Yield the tensors' declarations, with open sizes where the model does not declare them."""
    declared: dict[str, onnx.ValueInfoProto] = {
        value.name: value for value in [*model.graph.value_info, *model.graph.output]
    }
    facts = None
    for tensor in tensors:
        if tensor in declared:
            yield declared[tensor]
            continue
        facts = facts or Facts(model)
        found = facts.types.get(tensor)
        if found is None:
            yield onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None)
            continue
        sizes = None if found.shape is None else [None] * len(found.shape)
        yield onnx.helper.make_tensor_value_info(tensor, found.elem_type, sizes)
