"""From a third-party file to the graph that is deployed, proven against the file."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.adopt.asked import Asked
from service.adopt.composer import Composed, Composer
from service.adopt.expected import Arrays, expected_classes, expected_maps
from service.adopt.findings import Finding
from service.adopt.head import Head, choose_head
from service.adopt.inputs import GraphInput, only_input
from service.adopt.measure import write_shapes
from service.adopt.original import Original
from service.adopt.picture_side import read_picture_side
from service.adopt.precision import Precision, precision_of, tolerance
from service.adopt.refusal import CannotAdd
from service.adopt.samples import COUNT
from service.adopt.sides import Side
from service.adopt.sound_side import read_sound_side
from service.adopt.source import Source
from service.adopt.taps import find_taps
from service.contract.golden import GOLDEN_NAME
from service.contract.manifest import FileRef, Golden, Tap
from service.device import Placement

_NO_DIGEST = "0" * 64


# The maps of many classes in a large picture take that much for a single sample.
_GOLDEN_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Adopted:
    """What a version is written from.

    inputs, expected: of the golden check, by name; what is expected is what the original gave.
    golden: its tolerances; of no file yet.
    """

    source: Source
    side: Side
    head: Head
    composed: Composed
    taps: tuple[Tap, ...]
    precision: Precision
    inputs: Arrays
    expected: Arrays
    golden: Golden
    findings: tuple[Finding, ...]


def adopt(source: Source, asked: Asked, placement: Placement) -> Adopted:
    """Return the file as a graph like our own, with what was found out about it.

    Raises: CannotAdd, with a sentence that names the way out.
    """
    given = only_input(source.model)
    batch, original = given.batch, Original(source, placement)
    side, of_input = _side(source, given, asked)
    inputs = side.samples(COUNT if batch in (None, 1) else batch)
    outputs = original.run(side.numbers(inputs), batch)
    head, of_output = choose_head(source.model, outputs, asked, side.spec.reference_size)
    expected = _expected(head, outputs[head.name], side, asked)
    precision = precision_of(source.model)
    atol, rtol = tolerance(precision, expected)
    file = FileRef(path=GOLDEN_NAME, sha256=_NO_DIGEST)
    golden = Golden(file=file, of="original", atol=atol, rtol=rtol)
    composer = Composer(source, side, head, asked, golden, placement)
    composed = composer.first_that_holds(inputs, expected)
    inputs = inputs[: composed.batch or _how_many(expected, len(inputs))]
    if None not in side.spec.input_shape[1:]:
        write_shapes(composed.model, inputs, source.path.name)
    taps = find_taps(composed.model, side.spec)
    return Adopted(
        source,
        side,
        head,
        composed,
        taps,
        precision,
        {composed.inputs[0].name: inputs},
        {t.name: expected[t.name][: len(inputs)].astype(t.dtype) for t in composed.outputs},
        golden,
        (
            Finding("opset", str(source.opset), "certain", f"IR version {source.ir_version}"),
            *of_input,
            *of_output,
            composed.finding,
            Finding("weights", precision, "certain"),
            Finding("taps", str(len(taps)), "certain", _with_places(taps)),
        ),
    )


def _how_many(expected: Arrays, count: int) -> int:
    """Return how many of the samples go into the golden file, which every load reads whole."""
    each = sum(array.nbytes for array in expected.values()) // count
    return max(1, min(count, _GOLDEN_BYTES // max(1, each)))


def _side(source: Source, given: GraphInput, asked: Asked) -> tuple[Side, list[Finding]]:
    if asked.task == "audio-classification":
        return read_sound_side(given, asked)
    return read_picture_side(source, given, asked)


def _expected(head: Head, values: NDArray[Any], side: Side, asked: Asked) -> Arrays:
    """Return what the composed graph must give; raises CannotAdd if that is no answer."""
    if asked.task == "audio-classification" and head.gives == "independent":
        raise CannotAdd(
            "The graph gives independent probabilities, but what a sound is as a whole is told "
            "from classes that exclude each other: --gives says otherwise."
        )
    if asked.task == "image-segmentation":
        height, width = side.spec.reference_size
        found = expected_maps(head, values, (height, width))
    else:
        found = expected_classes(head, values)
    for name, array in found.items():
        if not np.all(np.isfinite(array)):
            raise CannotAdd(
                f"The {name} of the original file are not finite for a sample input: check how "
                "its input is normalised."
            )
    return found


def _with_places(taps: tuple[Tap, ...]) -> str:
    return f"{sum(len(tap.shape) > 1 for tap in taps)} of them maps with places"
