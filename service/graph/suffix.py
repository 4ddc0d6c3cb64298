"""Cut a graph in two at a tap: what makes its map, and what makes the scores of the map."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import numpy_helper

from service.contract.errors import InvalidParameter
from service.graph.facts import Facts
from service.graph.path import needed_nodes, reads
from service.graph.prefix import cut_prefix, open_value


@dataclass(frozen=True)
class Halves:
    """A graph in two, as serialised models.

    before: from the inputs of the graph to the tap and the sides.
    after: from the tap and the sides to the scores.
    sides: tensors that pass the tap by on their way to the scores, such as skip connections;
        with the very values that `before` gives them, `after` computes what the graph does.
    """

    before: bytes = field(repr=False)
    after: bytes = field(repr=False)
    sides: tuple[str, ...]


def cut_in_two(model: onnx.ModelProto, facts: Facts, tap: str, scores: str) -> Halves:
    """Return both halves of what it takes to compute the scores; `model` is not touched.

    facts: of the model. tap, scores: names of tensors.
    `after` takes any number of maps at once, as far as the nodes behind the tap let it: a batch
    size of one that was written into the shapes given to Reshape is taken out of them.
    Raises: InvalidParameter if the scores do not depend on the tap; KeyError if it is not there.
    """
    needed = needed_nodes(model.graph, {scores})
    behind = _behind(needed, tap)
    if scores not in {name for node in behind for name in node.output}:
        raise InvalidParameter(f"The layer {tap!r} has no part in the answer.")
    made = {tap} | {name for node in behind for name in node.output}
    read = dict.fromkeys(name for node in behind for name in reads(node) if name not in made)
    weights = {tensor.name for tensor in model.graph.initializer}
    constant = [name for name in read if name in facts.constants and name not in weights]
    inner = {name for node in behind for name in _inner_names(node)}
    sides = [name for name in read if name not in facts.constants and name not in inner]
    nodes = [*needed_nodes(model.graph, set(constant)), *behind]
    after = _assemble(model, facts, nodes, [tap, *sides], scores)
    _free_batch(after.graph, facts, behind)
    inputs = {value.name for value in model.graph.input}
    made_before = [name for name in sides if name not in inputs]
    before = cut_prefix(model, tap, *made_before)
    return Halves(before, bytes(after.SerializeToString()), tuple(sides))


def leading_to(model: onnx.ModelProto, tensor: str) -> set[str]:
    """Return the names of all tensors that the tensor depends on."""
    return {name for node in needed_nodes(model.graph, {tensor}) for name in reads(node)}


def _behind(nodes: Iterable[onnx.NodeProto], tap: str) -> list[onnx.NodeProto]:
    """Return those of the nodes that depend on the tap, in their order."""
    reached, behind = {tap}, []
    for node in nodes:
        if tap not in node.output and not reached.isdisjoint(reads(node)):
            reached.update(node.output)
            behind.append(node)
    return behind


def _inner_names(node: onnx.NodeProto) -> Iterable[str]:
    """Yield what graphs inside the node make themselves."""
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            yield from (value.name for value in [*graph.input, *graph.initializer])
            for inner in graph.node:
                yield from inner.output
                yield from _inner_names(inner)


def _assemble(
    model: onnx.ModelProto,
    facts: Facts,
    nodes: list[onnx.NodeProto],
    inputs: list[str],
    output: str,
) -> onnx.ModelProto:
    read = {name for node in nodes for name in reads(node)}
    part = onnx.ModelProto(ir_version=max(4, model.ir_version), opset_import=model.opset_import)
    part.functions.extend(model.functions)
    part.graph.name = model.graph.name
    part.graph.node.extend(nodes)
    part.graph.initializer.extend(t for t in model.graph.initializer if t.name in read)
    part.graph.input.extend(open_value(name, facts) for name in inputs)
    part.graph.output.append(open_value(output, facts))
    return part


def _free_batch(graph: onnx.GraphProto, facts: Facts, behind: list[onnx.NodeProto]) -> None:
    """Let Reshape keep the batch as it comes where a one was written down for it.

    A zero stands for the size that comes in. For one item both mean the same.
    """
    outputs = {node.output[0] for node in behind if node.op_type == "Reshape"}
    for node in graph.node:
        if node.op_type != "Reshape" or node.output[0] not in outputs:
            continue
        asked = facts.integers(node.input[1]) or []
        keeps_zero = any(a.name == "allowzero" and a.i for a in node.attribute)
        if len(asked) > 1 and asked[0] == 1 == facts.size(node.input[0], 0) and not keeps_zero:
            freed = f"{node.output[0]}/free_batch"
            sizes = numpy_helper.from_array(np.array([0, *asked[1:]], np.int64), freed)
            graph.initializer.append(sizes)
            node.input[1] = freed
