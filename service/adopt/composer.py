"""Composes the graph that is deployed, in the ways it may take batches, until one is proven."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from service.adopt.asked import Asked
from service.adopt.compose import compose, declare_outputs
from service.adopt.epilogue import Epilogue, class_epilogue, map_epilogue
from service.adopt.expected import Arrays
from service.adopt.findings import Finding
from service.adopt.head import Head
from service.adopt.open_batch import open_batch
from service.adopt.refusal import CannotAdd
from service.adopt.sides import Side
from service.adopt.source import Source
from service.contract.errors import InvalidModel
from service.contract.golden import largest_difference
from service.contract.manifest import Golden, Tensor
from service.device import Placement
from service.runtime import open_session

_ALIKE = "a batch gives what its items give"


@dataclass(frozen=True)
class Composed:
    """A graph that gave what the original gave.

    batch: how many items it takes at once; None for any number.
    """

    model: onnx.ModelProto
    batch: int | None
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    finding: Finding


@dataclass(frozen=True)
class _Try:
    """A way to take batches: the original as it is or opened, and how many at once."""

    model: onnx.ModelProto
    batch: int | None
    finding: Finding


@dataclass(frozen=True)
class Composer:
    """golden: the tolerances within which a graph must give what is expected of it."""

    source: Source
    side: Side
    head: Head
    asked: Asked
    golden: Golden
    placement: Placement

    def first_that_holds(self, inputs: NDArray[Any], expected: Arrays) -> Composed:
        """Return the first composed graph that gives what is expected, in runs of all and of one.

        inputs: a few items; as many as the original takes, if that is a number above one.
        Raises: CannotAdd if none does.
        """
        told = ""
        for attempt in self._tries(expected):
            composed = self._compose(attempt, expected)
            try:
                self._prove(composed, inputs, expected)
            except InvalidModel as error:
                told = error.reason
            else:
                return composed
        raise CannotAdd(f"{self.source.path}: the graph with its preprocessing {told}.")

    def _tries(self, expected: Arrays) -> Iterator[_Try]:
        """Yield the ways, the freest first; where no mix-up would show, only what the file says."""
        model, batch, telling = self.source.model, self.side.given.batch, _tells_apart(expected)
        if batch is None:
            yield _Try(
                model, None, Finding("batch", "any", "certain", f"as the file says: {_ALIKE}")
            )
        if telling:
            because = f"{_ALIKE}, whatever the file says"
            opened = open_batch(model, batch or 1)
            yield _Try(opened, None, Finding("batch", "any", "likely", because))
        if batch is None:
            because = "the file says any, but a batch gives something else than its items"
        elif telling:
            because = "as the file says: a larger batch gives something else than its items"
        else:
            because = "as the file says; all samples are answered alike, so no more can be proven"
        yield _Try(model, batch or 1, Finding("batch", str(batch or 1), "certain", because))

    def _compose(self, attempt: _Try, expected: Arrays) -> Composed:
        prologue = self.side.prologue(self.source.opset)
        ends = self.side.ends(attempt.batch)
        model = compose(attempt.model, self.head.name, prologue, self._epilogue, ends)
        shapes = {
            value.name: self._shape(attempt.batch, expected[value.name])
            for value in model.graph.output
        }
        declare_outputs(model, shapes)
        dtype = "uint8" if ends.elem_type == onnx.TensorProto.UINT8 else "float32"
        given = Tensor.model_validate(
            {"name": prologue.source, "dtype": dtype, "shape": ends.shape}
        )
        outputs = tuple(
            Tensor.model_validate(
                {
                    "name": role,
                    "dtype": "uint8" if role == "mask" else "float32",
                    "shape": tuple(shape),
                    "role": role,
                }
            )
            for role, shape in shapes.items()
        )
        return Composed(model, attempt.batch, (given,), outputs, attempt.finding)

    def _epilogue(self, source: str) -> Epilogue:
        opset, head = self.source.opset, self.head
        kind = _elem_type(self.source.model, head.name)
        if self.asked.task == "image-segmentation":
            height, width = self.side.spec.reference_size
            return map_epilogue(head, source, kind, opset, (height, width))
        with_logits = self.asked.task == "audio-classification"
        return class_epilogue(head, source, kind, opset, with_logits)

    def _shape(self, batch: int | None, expected: NDArray[Any]) -> list[int | None]:
        """Return the shape of an output; height and width are open if the input's are."""
        sizes: list[int | None] = [batch, *expected.shape[1:]]
        if None in self.side.spec.input_shape[1:]:
            sizes[-2:] = [None, None]
        return sizes

    def _prove(self, composed: Composed, inputs: NDArray[Any], expected: Arrays) -> None:
        """Hold a run of all items, and of one, against the original; raises InvalidModel."""
        shown_as, name = self.source.path.name, composed.inputs[0].name
        content = bytes(composed.model.SerializeToString())
        session = open_session(content, shown_as, self.placement)
        for size in [composed.batch] if composed.batch else [len(inputs), 1]:
            try:
                answers = session.run({name: inputs[:size]})
            except Exception as error:  # ONNX Runtime's exceptions have no base class of their own
                told = " ".join(str(error).split())[:300]
                raise InvalidModel(shown_as, f"fails on a batch of {size}: {told}") from error
            wanted = {role: values[:size] for role, values in expected.items()}
            largest_difference(answers, wanted, composed.outputs, self.golden, shown_as)


def _tells_apart(expected: Arrays) -> bool:
    """Whether the items' answers differ, so that a mix-up of items would show."""
    probabilities = expected["probabilities"]
    return all(
        not np.allclose(probabilities[i], probabilities[j], 1e-3, 1e-6)
        for i in range(len(probabilities))
        for j in range(i)
    )


def _elem_type(model: onnx.ModelProto, output: str) -> int:
    return next(
        int(value.type.tensor_type.elem_type)
        for value in model.graph.output
        if value.name == output
    )
