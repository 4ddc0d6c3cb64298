"""Shapes that cannot be told from the graph, such as behind an `If`, taken from a run."""

from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import helper

from service.device import ON_CPU
from service.graph.facts import Facts
from service.graph.path import data_path
from service.runtime import open_session


def write_shapes(model: onnx.ModelProto, inputs: NDArray[Any], shown_as: str) -> None:
    """Note the shapes in the model that its operators do not tell of themselves.

    inputs: one item, or as many as the graph's fixed batch has.
    """
    given = model.graph.input[0]
    facts = Facts(model)
    way = data_path(model.graph, {given.name})
    names = [name for node in way for name in node.output if name and not _known(facts, name)]
    if not names:
        return
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    outputs = {value.name for value in model.graph.output}
    exposed.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in outputs)
    session = open_session(bytes(exposed.SerializeToString()), shown_as, ON_CPU)
    is_open = given.type.tensor_type.shape.dim[0].HasField("dim_param")
    for name, values in session.run({given.name: inputs}).items():
        if name in names and values.dtype.kind in "fiub":
            shape: list[int | str] = list(values.shape)
            if is_open and shape and shape[0] == len(inputs):
                shape[0] = "batch"
            kind = helper.np_dtype_to_tensor_dtype(values.dtype)
            model.graph.value_info.append(helper.make_tensor_value_info(name, kind, shape))


def _known(facts: Facts, name: str) -> bool:
    shape = facts.shape(name)
    return shape is not None and None not in shape
