"""One graph of prologue, original and epilogue."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import TensorProto, helper

from service.adopt.epilogue import Epilogue
from service.adopt.naming import readable_names, rename
from service.adopt.pieces import Piece
from service.contract.specs import Shape
from service.graph.path import needed_nodes, reads

MakeEpilogue = Callable[[str], Epilogue]
# Operators with outputs that are for training, or for their opposite.
_EXTRAS = {"BatchNormalization", "Dropout", "LayerNormalization", "MaxPool"}
_AXES = ("batch", "height", "width", "channels")


@dataclass(frozen=True)
class Ends:
    """How the composed graph begins.

    shape: of its input; None for sizes that stay open.
    elem_type: uint8 for pictures, float32 for sounds.
    """

    shape: Shape
    elem_type: int


def compose(
    model: onnx.ModelProto,
    output: str,
    prologue: Piece,
    make_epilogue: MakeEpilogue,
    ends: Ends,
) -> onnx.ModelProto:
    """Return the graph that takes the prologue's source and gives the epilogue's outputs.

    output: of the model, where the epilogue begins; what only other outputs need is left out.
    Tensors get readable names; the original model is not touched.
    """
    whole = _only(model, output)
    (given,) = (value.name for value in whole.graph.input)
    reserved = prologue.names | make_epilogue("").piece.names | {prologue.source}
    names = readable_names(whole, reserved)
    epilogue = make_epilogue(names[output])
    names |= {given: prologue.last, output: epilogue.piece.source}
    rename(whole.graph, names)
    for node in whole.graph.node:
        node.name = next(filter(None, node.output), node.name)
    _join(whole.graph, prologue, epilogue.piece)
    axes = [size or name for size, name in zip(ends.shape, _AXES, strict=False)]
    del whole.graph.input[:], whole.graph.output[:], whole.graph.value_info[:]
    whole.graph.input.append(helper.make_tensor_value_info(prologue.source, ends.elem_type, axes))
    whole.graph.output.extend(onnx.ValueInfoProto(name=role) for role in epilogue.roles)
    return whole


def declare_outputs(model: onnx.ModelProto, shapes: Mapping[str, Sequence[int | None]]) -> None:
    """Write down type and shape of the outputs; open sizes are the batch, height and width."""
    del model.graph.output[:]
    for name, shape in shapes.items():
        kind = TensorProto.UINT8 if name == "mask" else TensorProto.FLOAT
        last = len(shape) - 1
        names = {last - 1: "height", last: "width"} | {0: _AXES[0]}
        axes = [names[axis] if size is None else size for axis, size in enumerate(shape)]
        model.graph.output.append(helper.make_tensor_value_info(name, kind, axes))


def _only(model: onnx.ModelProto, output: str) -> onnx.ModelProto:
    """Return a copy with nothing but what the output needs."""
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    nodes = needed_nodes(whole.graph, {output})
    read = {name for node in nodes for name in reads(node)}
    weights = [tensor for tensor in whole.graph.initializer if tensor.name in read]
    kept = [value for value in whole.graph.output if value.name == output]
    _replace(whole.graph.node, nodes)
    for node in whole.graph.node:
        while node.op_type in _EXTRAS and len(node.output) > 1 and node.output[-1] not in read:
            node.output.pop()
    _replace(whole.graph.initializer, weights)
    _replace(whole.graph.output, kept)
    return whole


def _replace(field: Any, kept: list[Any]) -> None:
    copies = [type(part).FromString(part.SerializeToString()) for part in kept]
    del field[:]
    field.extend(copies)


def _join(graph: onnx.GraphProto, prologue: Piece, epilogue: Piece) -> None:
    nodes = [*prologue.nodes, *graph.node, *epilogue.nodes]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    graph.initializer.extend([*prologue.constants, *epilogue.constants])
