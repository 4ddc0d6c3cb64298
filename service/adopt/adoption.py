"""From a third-party file to the graph that is deployed, proven against the file."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from service.adopt.asked import Asked
from service.adopt.compose import compose, declare_outputs
from service.adopt.epilogue import Epilogue, class_epilogue, map_epilogue
from service.adopt.expected import Arrays, expected_classes, expected_maps
from service.adopt.findings import Finding
from service.adopt.head import Head, choose_head
from service.adopt.inputs import only_input
from service.adopt.measure import write_shapes
from service.adopt.open_batch import open_batch
from service.adopt.original import Original
from service.adopt.picture_side import read_picture_side
from service.adopt.precision import precision_of, tolerance
from service.adopt.refusal import CannotAdd
from service.adopt.samples import COUNT
from service.adopt.sides import Side
from service.adopt.sound_side import read_sound_side
from service.adopt.source import Source
from service.adopt.taps import find_taps
from service.contract.errors import InvalidModel
from service.contract.golden import GOLDEN_NAME, largest_difference
from service.contract.manifest import FileRef, Golden, Tap, Tensor
from service.device import Placement
from service.runtime import open_session

_NO_DIGEST = "0" * 64


@dataclass(frozen=True)
class Adopted:
    """What a version is written from.

    model: the composed graph.
    inputs, expected: of the golden check, by name; from the original, run item by item.
    golden: its tolerances; of no file yet.
    """

    source: Source
    model: onnx.ModelProto
    side: Side
    head: Head
    tensors: tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
    taps: tuple[Tap, ...]
    inputs: Arrays
    expected: Arrays
    golden: Golden
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Try:
    """A way to take batches: the original as it is or opened, and how many at once."""

    model: onnx.ModelProto
    batch: int | None
    finding: Finding


def adopt(source: Source, asked: Asked, placement: Placement) -> Adopted:
    """Return the file as a graph like our own, with what was found out about it.

    Raises: CannotAdd, with a sentence that names the way out.
    """
    given = only_input(source.model)
    original = Original(source, placement)
    side, findings = _side(source, asked)
    batch = given.batch
    count = batch if batch not in (None, 1) else COUNT
    inputs = side.samples(count)
    outputs = original.run(side.numbers(inputs), batch)
    head, told = choose_head(source.model, outputs, asked)
    expected = _expected(head, outputs[head.name], side, asked)
    precision = precision_of(source.model)
    atol, rtol = tolerance(precision, expected)
    file = FileRef(path=GOLDEN_NAME, sha256=_NO_DIGEST)
    golden = Golden(file=file, of="original", atol=atol, rtol=rtol)
    composer = _Composer(source, side, head, asked, golden, placement)
    model, done, tensors = composer.first_that_holds(batch, inputs, expected)
    kept = done.batch or len(inputs)
    name = tensors[0][0].name
    if None not in side.spec.input_shape[1:]:
        write_shapes(model, inputs[:kept], source.path.name)
    taps = find_taps(model, side.spec)
    return Adopted(
        source,
        model,
        side,
        head,
        tensors,
        taps,
        {name: inputs[:kept]},
        {tensor.name: _typed(tensor, expected[tensor.name][:kept]) for tensor in tensors[1]},
        golden,
        (
            Finding("opset", str(source.opset), "certain", f"IR version {source.model.ir_version}"),
            *findings,
            *told,
            done.finding,
            Finding("weights", precision, "certain"),
            Finding("taps", str(len(taps)), "certain", _spatial(taps)),
        ),
    )


def _side(source: Source, asked: Asked) -> tuple[Side, list[Finding]]:
    given = only_input(source.model)
    if asked.task == "audio-classification":
        return read_sound_side(given, asked)
    return read_picture_side(source, given, asked)


def _expected(head: Head, values: NDArray[Any], side: Side, asked: Asked) -> Arrays:
    if asked.task != "image-segmentation":
        found = expected_classes(head, values)
    else:
        height, width = side.spec.reference_size
        found = expected_maps(head, values, (height, width))
    if asked.task == "audio-classification" and head.gives == "independent":
        raise CannotAdd(
            "The graph gives independent probabilities, but what a sound is as a whole is told from "
            "classes that exclude each other: --gives says otherwise."
        )
    for name, array in found.items():
        if not np.all(np.isfinite(array)):
            raise CannotAdd(
                f"The {name} of the original file are not finite for a sample input: check how "
                "its input is normalised."
            )
    return found


@dataclass(frozen=True)
class _Composer:
    """Composes the graph in the ways it may take batches, until one is proven."""

    source: Source
    side: Side
    head: Head
    asked: Asked
    golden: Golden
    placement: Placement

    def first_that_holds(
        self, batch: int | None, inputs: NDArray[Any], expected: Arrays
    ) -> tuple[onnx.ModelProto, _Try, tuple[tuple[Tensor, ...], tuple[Tensor, ...]]]:
        """Return the first composed graph that gives what is expected; raises CannotAdd."""
        told = ""
        for attempt in self._tries(batch, expected):
            model, roles = self._compose(attempt)
            tensors = self._declare(model, roles, attempt.batch, expected)
            try:
                self._prove(model, tensors, attempt.batch, inputs, expected)
            except InvalidModel as error:
                told = error.reason
            else:
                return model, attempt, tensors
        raise CannotAdd(f"{self.source.path}: the graph with its preprocessing {told}.")

    def _tries(self, batch: int | None, expected: Arrays) -> Iterator[_Try]:
        model = self.source.model
        if batch is None:
            yield _Try(
                model, None, Finding("batch", "any", "certain", "a batch gives what its items give")
            )
        opened = open_batch(model, batch or 1)
        because = "the file says otherwise, but a batch gives what its items give"
        if _tells_apart(expected):
            yield _Try(opened, None, Finding("batch", "any", "likely", because))
        size = batch or 1
        reason = (
            "as the file says" if batch else "the file says any, but a batch gives something else"
        )
        if batch and not _tells_apart(expected):
            reason += "; all samples are answered alike, so nothing else can be proven"
        yield _Try(model, size, Finding("batch", str(size), "certain", reason))

    def _compose(self, attempt: _Try) -> tuple[onnx.ModelProto, tuple[str, ...]]:
        opset, side = self.source.opset, self.side
        make = partial(self._epilogue, opset)
        ends = side.ends(attempt.batch)
        model = compose(attempt.model, self.head.name, side.prologue(opset), make, ends)
        return model, make("").roles

    def _epilogue(self, opset: int, source: str) -> Epilogue:
        head, kind = self.head, _elem_type(self.source.model, self.head.name)
        if self.asked.task == "image-segmentation":
            height, width = self.side.spec.reference_size
            return map_epilogue(head, source, kind, opset, (height, width))
        with_logits = self.asked.task == "audio-classification"
        return class_epilogue(head, source, kind, opset, with_logits)

    def _declare(
        self, model: onnx.ModelProto, roles: tuple[str, ...], batch: int | None, expected: Arrays
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Write the outputs' shapes into the graph; return inputs and outputs for the manifest."""
        open_sizes = self.side.spec.input_shape[1:3]
        free = None in open_sizes
        shapes: dict[str, list[int | None]] = {}
        for role in roles:
            sizes: list[int | None] = [batch, *expected[role].shape[1:]]
            if free:
                sizes[-2:] = [None, None]
            shapes[role] = sizes
        declare_outputs(model, {role: _named(sizes) for role, sizes in shapes.items()})
        ends = self.side.ends(batch)
        dtype = "uint8" if ends.elem_type == onnx.TensorProto.UINT8 else "float32"
        given = Tensor(name=model.graph.input[0].name, dtype=dtype, shape=ends.shape)
        outputs = tuple(
            Tensor(name=r, dtype="uint8" if r == "mask" else "float32", shape=tuple(s), role=r)  # type: ignore[arg-type]
            for r, s in shapes.items()
        )
        return (given,), outputs

    def _prove(
        self,
        model: onnx.ModelProto,
        tensors: tuple[tuple[Tensor, ...], tuple[Tensor, ...]],
        batch: int | None,
        inputs: NDArray[Any],
        expected: Arrays,
    ) -> None:
        """Hold runs of one and of several items against the original; raises InvalidModel."""
        shown_as, name = self.source.path.name, tensors[0][0].name
        session = open_session(bytes(model.SerializeToString()), shown_as, self.placement)
        for size in (batch,) if batch else (len(inputs), 1):
            try:
                answers = session.run({name: inputs[:size]})
            except Exception as error:  # ONNX Runtime's exceptions have no base class of their own
                told = " ".join(str(error).split())[:300]
                raise InvalidModel(shown_as, f"fails on a batch of {size}: {told}") from error
            wanted = {role: values[:size] for role, values in expected.items()}
            largest_difference(answers, wanted, tensors[1], self.golden, shown_as)


def _tells_apart(expected: Arrays) -> bool:
    """Whether the items' answers differ, so that a mix-up of items would show."""
    probabilities = expected["probabilities"]
    return all(
        not np.allclose(probabilities[i], probabilities[j], 1e-3, 1e-6)
        for i in range(len(probabilities))
        for j in range(i)
    )


def _named(sizes: list[int | None]) -> list[int | str]:
    """Return the sizes with names for those that are open.

    >>> _named([None, 10]), _named([1, 5, None, None])
    (['batch', 10], [1, 5, 'height', 'width'])
    """
    names = {0: "batch", len(sizes) - 2: "height", len(sizes) - 1: "width"} | {0: "batch"}
    return [names[place] if size is None else size for place, size in enumerate(sizes)]


def _elem_type(model: onnx.ModelProto, output: str) -> int:
    return next(v.type.tensor_type.elem_type for v in model.graph.output if v.name == output)


def _typed(tensor: Tensor, values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(tensor.dtype)


def _spatial(taps: tuple[Tap, ...]) -> str:
    placed = sum(len(tap.shape) > 1 for tap in taps)
    return f"{placed} of them maps with places"
