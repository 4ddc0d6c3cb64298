"""What a model said, as the Open Inference Protocol has it."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from service.api.oip.coding import compressed
from service.api.oip.question import Question
from service.api.oip.tensor import BYTES, GivenTensor
from service.api.oip.wire import WantedOutput
from service.contract.errors import TooLarge
from service.tasks.catalog import ServedModel
from service.tasks.tensor_specs import TensorSpec

_MOST_JSON_VALUES = 2 * 1024**2


class Answer(NamedTuple):
    """An answer, ready to be sent. json_bytes: how much of it is JSON; None if all of it."""

    content: bytes
    json_bytes: int | None


def write_answer(
    model: ServedModel, question: Question, outputs: Sequence[NDArray[Any]], coding: str | None
) -> Answer:
    """Return the wanted outputs, written out; blocks for as long as that takes.

    outputs: all that the graph has, (N, ...). coding: how to compress it; None for not at all.
    Raises: TooLarge if they are too many to be written as JSON.
    """
    by_name = dict(zip(model.tensors.outputs, outputs, strict=True))
    specs = {spec.name: spec for spec in by_name}
    given = [
        _given(model, wanted, specs[wanted.name], by_name[specs[wanted.name]])
        for wanted in question.wanted
    ]
    in_json = sum(len(tensor) for tensor in given if not tensor.binary)
    if in_json > _MOST_JSON_VALUES:
        raise TooLarge(
            f"{in_json:,} values are too many to be written as JSON, at most "
            f"{_MOST_JSON_VALUES:,} are: ask for binary data."
        )
    contents = [tensor.content() if tensor.binary else None for tensor in given]
    told: dict[str, Any] = {
        "model_name": model.manifest.name,
        "model_version": str(model.manifest.version),
        "outputs": list(map(GivenTensor.described, given, contents)),
    }
    if question.id is not None:
        told["id"] = question.id
    head = orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY)
    parts = [head, *(content for content in contents if content is not None)]
    content = compressed(parts, coding) if coding else b"".join(parts)
    return Answer(content, len(head) if len(parts) > 1 else None)


def _given(
    model: ServedModel, wanted: WantedOutput, spec: TensorSpec, values: NDArray[Any]
) -> GivenTensor:
    if wanted.classes is None:
        return GivenTensor(spec.name, spec.datatype, values.shape, values, wanted.binary)
    texts = likeliest(values, model.manifest.labels, wanted.classes)
    shape = (len(texts), len(texts[0]))
    return GivenTensor(spec.name, BYTES, shape, list(chain.from_iterable(texts)), wanted.binary)


def likeliest(values: NDArray[Any], labels: Sequence[str], count: int) -> list[list[str]]:
    """Return of each row (classes,) the largest values as `value:index:label`, largest first.

    Triton's classification extension; ties go to the lower index. A value is written so that the
    same number is read back.

    >>> likeliest(np.float32([[0.25, 0.5, 0.25]]), ("ant", "bee", "cat"), 2)
    [['0.5:1:bee', '0.25:0:ant']]
    """
    order = (-values).argsort(axis=1, kind="stable")[:, :count]
    largest = np.take_along_axis(values, order, axis=1)
    return [
        [f"{value}:{index}:{labels[index]}" for value, index in zip(row, indices, strict=True)]
        for row, indices in zip(largest.astype(str).tolist(), order.tolist(), strict=True)
    ]
