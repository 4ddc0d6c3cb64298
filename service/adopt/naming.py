"""Gives the tensors of a graph the names by which they can be asked for: `path/Op`."""

from collections.abc import Iterable, Mapping

import onnx

from service.adopt.paths import node_paths
from service.graph.path import data_path


def readable_names(model: onnx.ModelProto, reserved: Iterable[str]) -> dict[str, str]:
    """Return a new name for every tensor on the way from the inputs to the outputs, by its old one.

    reserved: names that are to stay free. A tensor beside the way keeps its name unless that is
        one of them.
    """
    graph = model.graph
    way = data_path(graph, {value.name for value in graph.input})
    outputs = [list(filter(None, node.output)) for node in way]
    renamed = {name for names in outputs for name in names}
    taken = {*reserved}
    names = {}
    for name in _others(graph, renamed):
        new = _free(name, taken, "{}_{}")
        taken.add(new)
        if new != name:
            names[name] = new
    for node, path, old in zip(way, node_paths(graph, way), outputs, strict=True):
        for name in old:
            names[name] = _free(f"{path}/{node.op_type}", taken, "{}:{}")
            taken.add(names[name])
    return names


def rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Rename tensors of the graph, in what its inner graphs read of it too.

    An inner graph that has a tensor of a new name already gets another one for its own.
    """
    new = set(names.values())
    for tensor in graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    for value in [*graph.input, *graph.output, *graph.value_info]:
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                own = {name: f"{name}_inside" for name in _made(inner) if name in new}
                outer = {old: name for old, name in names.items() if old not in _made(inner)}
                rename(inner, {**outer, **own})


def _made(graph: onnx.GraphProto) -> set[str]:
    """Return the names that the graph itself gives to tensors."""
    made = {value.name for value in graph.input} | {t.name for t in graph.initializer}
    return made | {name for node in graph.node for name in node.output if name}


def _others(graph: onnx.GraphProto, renamed: set[str]) -> list[str]:
    return sorted(_made(graph) - renamed)


def _free(wanted: str, taken: set[str], pattern: str) -> str:
    """Return the name, with the first number that makes it free if it is taken."""
    name, number = wanted, 0
    while name in taken:
        number += 1
        name = pattern.format(wanted, number)
    return name
