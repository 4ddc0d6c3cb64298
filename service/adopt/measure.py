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

    inputs: as many items as its fixed batch has; if that is open, at least two.
    """
    given, facts = model.graph.input[0], Facts(model)
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
    found = session.run({given.name: inputs})
    other = session.run({given.name: inputs[:1]}) if is_open else found
    for name in names:
        values, fewer = found[name], other[name]
        if values.dtype.kind in "fiub" and values.ndim == fewer.ndim:
            kind = helper.np_dtype_to_tensor_dtype(values.dtype)
            shape = _common(values.shape, fewer.shape)
            model.graph.value_info.append(helper.make_tensor_value_info(name, kind, shape))


def _common(shape: tuple[int, ...], other: tuple[int, ...]) -> list[int | str | None]:
    """Return the sizes that do not depend on how many items there are; `batch` for the first axis.

    >>> _common((3, 6, 8), (1, 2, 8))
    ['batch', None, 8]
    """
    pairs = enumerate(zip(shape, other, strict=True))
    return [own if own == there else None if axis else "batch" for axis, (own, there) in pairs]


def _known(facts: Facts, name: str) -> bool:
    shape = facts.shape(name)
    return shape is not None and None not in shape
