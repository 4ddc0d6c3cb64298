"""Cut a graph at a tensor: the prefix that computes it, as a model of its own."""

import onnx

from service.graph.facts import Facts
from service.graph.path import needed_nodes, reads
from service.graph.quantised import Step, steps


def cut_prefix(model: onnx.ModelProto, tensor: str) -> bytes:
    """Return the serialised model whose only output is the tensor.

    tensor: any node output, be it an output of the graph or inside it. If it is quantised, the
        prefix ends in the floats that it stands for.
    Only the nodes, weights and inputs that it depends on are kept; `model` is not touched.
    Raises: KeyError if no node makes such a tensor.
    """
    nodes = needed_nodes(model.graph, {tensor})
    if not nodes:
        raise KeyError(tensor)
    step = steps(model.graph).get(tensor)
    if step is not None:
        nodes = _as_floats(nodes, tensor, step)
    read = {name for node in nodes for name in reads(node)}
    prefix = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    prefix.functions.extend(model.functions)
    prefix.graph.name = model.graph.name
    prefix.graph.node.extend(nodes)
    prefix.graph.initializer.extend(t for t in model.graph.initializer if t.name in read)
    prefix.graph.input.extend(value for value in model.graph.input if value.name in read)
    output = _output(model, tensor) if step is None else onnx.ValueInfoProto(name=tensor)
    prefix.graph.output.append(output)
    return bytes(prefix.SerializeToString())


def _as_floats(nodes: list[onnx.NodeProto], tensor: str, step: Step) -> list[onnx.NodeProto]:
    """Return the nodes with the last one's bytes turned into floats, under the tensor's name."""
    last, bytes_ = onnx.NodeProto(), f"{tensor}:bytes"
    last.CopyFrom(nodes[-1])
    last.output[:] = [bytes_ if name == tensor else name for name in last.output]
    inputs = [bytes_, *filter(None, step)]
    return [*nodes[:-1], last, onnx.helper.make_node("DequantizeLinear", inputs, [tensor])]


def _output(model: onnx.ModelProto, tensor: str) -> onnx.ValueInfoProto:
    """Return the tensor's declaration, with open sizes where the model does not declare it."""
    declared: dict[str, onnx.ValueInfoProto] = {
        value.name: value for value in [*model.graph.value_info, *model.graph.output]
    }
    if tensor in declared:
        return declared[tensor]
    found = Facts(model).types.get(tensor)
    if found is None:
        return onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None)
    sizes = None if found.shape is None else [None] * len(found.shape)
    return onnx.helper.make_tensor_value_info(tensor, found.elem_type, sizes)
