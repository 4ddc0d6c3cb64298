"""A model's graph as tensors go in and come out, in the same queue as pictures and sounds.

What comes in are rows that are model inputs already, or files that become such as everywhere else.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from threading import Event
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import ConvscopeError, InvalidParameter, TooLarge
from service.contract.manifest import Manifest
from service.contract.specs import FREE_SIZE
from service.tasks.segment import WHOLE_PX
from service.tasks.tensor_specs import TensorSpec, tensor_specs

Array = NDArray[Any]
Shape = tuple[int, ...]
# (N, ...) inputs, and whether nothing else is being worked on -> every output of the graph
RunGraph = Callable[[Array, bool], list[Array]]
Prepare = Callable[[Any], tuple[Hashable, Any]]
RunTogether = Callable[[Sequence[Any], bool], Sequence[Any]]
# All outputs of one request together, whether they were asked for or not.
_MOST_ANSWER_BYTES = 256 * 1024**2


class Rows(NamedTuple):
    """Model inputs (N, ...) that are run together."""

    array: Array


@dataclass(frozen=True)
class Encoded:
    """A picture or a sound as a file.

    gone: set when nobody waits for the answer any more. files: those of the same request.
    """

    data: bytes = field(repr=False)
    gone: Event = Event()  # noqa: RUF009, one that is never set
    files: int = 1


class Block(NamedTuple):
    """Rows that are ready to run, and known from what the task itself prepares."""

    rows: Array


class Tensors(ABC):
    """What the graph of one model takes and gives.

    `beside` makes of what a task does with its own items something that a batcher can give
    `Rows` and `Encoded` as well, for which `outputs_of` has the answer.

    most_rows: that are run together.
    """

    def __init__(self, manifest: Manifest, run: RunGraph, most_rows: int) -> None:
        self.inputs, self.outputs = tensor_specs(manifest)
        self.most_rows = most_rows
        self._run = run
        self._itemsizes = [np.dtype(tensor.dtype).itemsize for tensor in manifest.graph.outputs]

    def check_shape(self, shape: Shape) -> None:
        """Raises: InvalidParameter if the input takes no such shape; TooLarge."""
        spec = self.inputs[0]
        fits = len(shape) == len(spec.shape) and all(
            wanted in (-1, size) for wanted, size in zip(spec.shape, shape, strict=True)
        )
        if not fits or min(shape) < 1:
            raise InvalidParameter(
                f"The input {spec.name!r} takes the shape {list(spec.shape)}, where -1 is any "
                f"number from 1 on, not {list(shape)}."
            )
        self._check_answer(shape)

    def blocks(self, array: Array) -> Iterator[Rows]:
        """Yield the rows (N, ...) in pieces that can be run together."""
        for first in range(0, len(array), self.most_rows):
            yield Rows(array[first : first + self.most_rows])

    def beside(self, prepare: Prepare, run: RunTogether) -> tuple[Prepare, RunTogether]:
        """Return what a batcher needs for the task's own items and for tensors.

        The two never share a batch.
        """

        def prepare_either(raw: Any) -> tuple[Hashable, Any]:
            return self.prepare(raw) if isinstance(raw, Rows | Encoded) else prepare(raw)

        def run_either(prepared: Sequence[Any], alone: bool) -> Sequence[Any]:
            return (self.run if self.prepared(prepared[0]) else run)(prepared, alone)

        return prepare_either, run_either

    def prepare(self, item: Rows | Encoded) -> tuple[Hashable, Any]:
        """Return what the item may share a batch with, and what is run.

        Raises: InvalidParameter if a row holds what is no finite number; what decoding raises;
            TooLarge if the outputs for as many inputs as there are files would be.
        """
        return self._block(item.array) if isinstance(item, Rows) else self._file(item)

    def _block(self, array: Array) -> tuple[Hashable, Block]:
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InvalidParameter(f"The input {self.inputs[0].name!r} holds NaN or infinity.")
        return (Block, array.shape[1:]), Block(array)

    def prepared(self, item: Any) -> bool:
        """Return whether `prepare` made this."""
        return isinstance(item, Block)

    def run(self, prepared: Sequence[Any], alone: bool) -> list[Any]:
        """Return of each what `outputs_of` takes; `prepare` made them, with one key."""
        blocks: list[Array] = [block.rows for block in prepared]
        together = np.concatenate(blocks) if len(blocks) > 1 else blocks[0]
        outputs = self._run(together, alone)
        ends = np.cumsum([len(block) for block in blocks]).tolist()
        return [
            [output[end - len(block) : end] for output in outputs]
            for block, end in zip(blocks, ends, strict=True)
        ]

    def outputs_of(self, answers: Sequence[Any]) -> list[Array]:
        """Return every output of the graph, (N, ...), for all items of a request in their order.

        Raises: InvalidParameter if those of several files differ in shape.
        """
        if len(answers) == 1:
            return self._arrays(answers[0])
        parts = [self._arrays(answer) for answer in answers]
        try:
            return [np.concatenate(part) for part in zip(*parts, strict=True)]
        except ValueError:
            raise InvalidParameter(
                "What comes of these files differs in shape, so that no one tensor can hold it: "
                "send them one at a time."
            ) from None

    def decode_s(self, answer: Any) -> float:
        """Return the seconds of decoding that were spent within the run of an item."""
        return 0.0

    def sound_s(self, answer: Any) -> float | None:
        """Return the length of the sound that the item was, if it was one."""
        return None

    def _check_answer(self, shape: Shape) -> None:
        """Raises: TooLarge if the outputs for inputs of that shape would be."""
        needed = sum(
            prod(_filled(output, shape)) * itemsize
            for output, itemsize in zip(self.outputs, self._itemsizes, strict=True)
        )
        if needed > _MOST_ANSWER_BYTES:
            raise TooLarge(
                f"The outputs for the shape {list(shape)} would take {needed:,} bytes; at most "
                f"{_MOST_ANSWER_BYTES:,} are made at once."
            )

    @abstractmethod
    def _file(self, file: Encoded) -> tuple[Hashable, Any]:
        """Return what `prepare` does, of a file."""

    def _arrays(self, answer: Any) -> list[Array]:
        """Return the outputs (N, ...) of one item."""
        outputs: list[Array] = answer
        return outputs


class PictureTensors(Tensors):
    """Those of a model for pictures. model_input: makes one of a picture's file."""

    def __init__(
        self,
        manifest: Manifest,
        run: RunGraph,
        most_rows: int,
        model_input: Callable[[bytes], Array],
    ) -> None:
        super().__init__(manifest, run, most_rows)
        self._model_input = model_input
        spec = manifest.preprocessing
        self._multiple = getattr(spec, "multiple", 1)
        self._free = getattr(spec, "resize", None) in FREE_SIZE

    def check_shape(self, shape: Shape) -> None:
        """As of all models; where any size is taken, it must be a multiple, and have an end."""
        super().check_shape(shape)
        if not self._free:
            return
        height, width = shape[1:3]
        if height % self._multiple or width % self._multiple:
            raise InvalidParameter(
                f"The input {self.inputs[0].name!r} takes a height and width that are multiples "
                f"of {self._multiple}, not {height} x {width}."
            )
        if height * width > WHOLE_PX:
            raise TooLarge(
                f"{height} x {width} pixels are too many to be run as a whole; "
                f"at most {WHOLE_PX:,} are taken."
            )

    def run(self, prepared: Sequence[Any], alone: bool) -> list[Any]:
        """As of all models. A graph of any size is proven with few, so failing is the size's fault.

        Raises: InvalidParameter.
        """
        try:
            return super().run(prepared, alone)
        except ConvscopeError:
            raise
        except Exception as error:  # a runtime's exceptions have no base class of their own
            if not self._free:
                raise
            height, width = prepared[0].rows.shape[1:3]
            what = f"The model fails on an input of {height} x {width} pixels."
            raise InvalidParameter(what) from error

    def _file(self, file: Encoded) -> tuple[Hashable, Any]:
        row = self._model_input(file.data)
        self._check_answer((file.files, *row.shape))
        return self._block(row[np.newaxis])


def _filled(output: TensorSpec, shape: Shape) -> Shape:
    """Return the output's shape for an input (N, H, W, ...): what is free is at most as large."""
    sides = iter(shape[1:3])
    return (shape[0], *(next(sides, 1) if size == -1 else size for size in output.shape[1:]))
