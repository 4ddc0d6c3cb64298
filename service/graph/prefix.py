"""Cut a graph at tensors: the prefix that computes them, as a model of its own."""

from collections.abc import Collection, Iterator

import onnx

from service.graph.facts import Facts
from service.graph.path import needed_nodes, reads
from service.graph.quantised import Step, steps


def cut_prefix(model: onnx.ModelProto, *tensors: str) -> bytes:
    """Return the serialised model whose only outputs are the tensors.

    tensors: any node outputs, be they outputs of the graph or inside it. Of those that are
        quantised, the prefix gives the floats that they stand for.
    Only the nodes, weights and inputs that they depend on are kept; `model` is not touched.
    Raises: KeyError if no node makes such a tensor.
    """
    nodes = needed_nodes(model.graph, set(tensors))
    made = {name for node in nodes for name in node.output}
    for tensor in tensors:
        if tensor not in made:
            raise KeyError(tensor)
    quantised = {name: step for name, step in steps(model.graph).items() if name in tensors}
    if quantised:
        nodes = _as_floats(nodes, quantised)
    read = {name for node in nodes for name in reads(node)}
    prefix = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    prefix.functions.extend(model.functions)
    prefix.graph.name = model.graph.name
    prefix.graph.node.extend(nodes)
    prefix.graph.initializer.extend(t for t in model.graph.initializer if t.name in read)
    prefix.graph.input.extend(value for value in model.graph.input if value.name in read)
    prefix.graph.output.extend(_outputs(model, tensors, quantised))
    return bytes(prefix.SerializeToString())


def _as_floats(nodes: list[onnx.NodeProto], quantised: dict[str, Step]) -> list[onnx.NodeProto]:
    """Return the nodes, and after them the floats under the names that the bytes had."""
    bytes_of = {name: f"{name}:bytes" for name in quantised}
    renamed = []
    for node in nodes:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [bytes_of.get(name, name) for name in node.input]
        copy.output[:] = [bytes_of.get(name, name) for name in node.output]
        renamed.append(copy)
    floats = [
        onnx.helper.make_node("DequantizeLinear", [bytes_of[name], *filter(None, step)], [name])
        for name, step in quantised.items()
    ]
    return [*renamed, *floats]


def _outputs(
    model: onnx.ModelProto, tensors: Collection[str], quantised: Collection[str]
) -> Iterator[onnx.ValueInfoProto]:
    """Yield the tensors' declarations, with open sizes where the model does not declare them."""
    declared: dict[str, onnx.ValueInfoProto] = {
        value.name: value for value in [*model.graph.value_info, *model.graph.output]
    }
    facts = None
    for tensor in tensors:
        if tensor in quantised:
            yield onnx.ValueInfoProto(name=tensor)
            continue
        if tensor in declared:
            yield declared[tensor]
            continue
        facts = facts or Facts(model)
        yield open_value(tensor, facts)


def open_value(tensor: str, facts: Facts) -> onnx.ValueInfoProto:
    """Return a declaration of the tensor that leaves all its sizes open."""
    found = facts.types.get(tensor)
    if found is None:
        return onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None)
    sizes = None if found.shape is None else [None] * len(found.shape)
    return onnx.helper.make_tensor_value_info(tensor, found.elem_type, sizes)
