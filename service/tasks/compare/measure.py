"""Two models on one file: what they say, and how far apart they are layer by layer."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from threading import Event
from typing import NamedTuple

from service.contract.errors import DeadlineExceeded, InvalidParameter
from service.contract.specs import Shape
from service.tasks.catalog import Catalog, ServedModel
from service.tasks.compare.answers import Agreement, Answer, agreement_of, answer_of
from service.tasks.compare.difference import Difference, difference
from service.tasks.compare.matching import Pair, match_taps

# Of each model's layers, so many numbers are held at once: 64 MB. One layer may be larger.
_HELD = 2**24
_VERSION = re.compile(r"[1-9][0-9]{0,8}")


class ComparedLayer(NamedTuple):
    """Two layers that match. op: of the first model's."""

    layer: str
    other_layer: str
    op: str
    shape: tuple[int, ...]
    difference: Difference


class Unmatched(NamedTuple):
    """A layer that only one model has, or two that match but have different shapes."""

    layer: str | None
    other_layer: str | None
    reason: str


@dataclass(frozen=True)
class Comparison:
    """What two models made of one file; layers are in the order of the first."""

    models: tuple[ServedModel, ServedModel]
    answers: tuple[Answer, Answer]
    agreement: Agreement
    layers: tuple[ComparedLayer, ...]
    unmatched: tuple[Unmatched, ...]


def two_models(catalog: Catalog, names: Sequence[str]) -> tuple[ServedModel, ServedModel]:
    """Return the models that are called NAME or NAME@VERSION; they must be of one task.

    Raises: InvalidParameter; UnknownModel; UnknownVersion; ModelNotReady; WrongTask.
    """
    if len(names) != 2:
        raise InvalidParameter(
            f"Two models are compared, not {len(names)}: model=NAME&model=NAME, "
            "each with @VERSION if it is not the highest."
        )
    one, other = (catalog.get(*_parse(name)) for name in names)
    tasks = one.manifest.task, other.manifest.task
    if tasks[0] != tasks[1]:
        raise InvalidParameter(
            f"Models of one task are compared, but {names[0]!r} does {tasks[0]} and "
            f"{names[1]!r} {tasks[1]}."
        )
    one.check_has_classes("compare")
    return one, other


def compare(
    models: tuple[ServedModel, ServedModel], data: bytes, start_s: float, gone: Event
) -> Comparison:
    """Return what two models of one task make of the file; blocks.

    start_s: of a sound, where the window begins whose layers are compared.
    gone: set when nobody waits for the answer any more.
    Raises: as `answer_of`; ModelNotReady if a graph does not keep what its layers promise.
    """
    one, other = (answer_of(model, data, start_s, gone) for model in models)
    found: list[ComparedLayer | Unmatched] = []
    pairs = match_taps(*(model.manifest.graph.taps for model in models))
    for share in _shares(pairs, models, (one, other)):
        if gone.is_set():
            raise DeadlineExceeded("Nobody waits for the answer any more.")
        found += _compared(share, models, (one, other))
    found += _alone(pairs, models)
    return Comparison(
        models,
        (one, other),
        agreement_of(one, other),
        tuple(layer for layer in found if isinstance(layer, ComparedLayer)),
        tuple(layer for layer in found if isinstance(layer, Unmatched)),
    )


def _parse(name: str) -> tuple[str, int | None]:
    """Return the name and the version, None if none is given.

    >>> _parse("cifar10@2"), _parse("cifar10")
    (('cifar10', 2), ('cifar10', None))
    """
    plain, at, version = name.partition("@")
    if not at:
        return plain, None
    if not _VERSION.fullmatch(version):
        raise InvalidParameter(f"model={name[:80]!r}: a version is a number from 1 on.")
    return plain, int(version)


def _compared(
    pairs: Sequence[Pair], models: Sequence[ServedModel], answers: Sequence[Answer]
) -> Iterator[ComparedLayer | Unmatched]:
    maps = [
        model.features.compute_several([pair[side].name for pair in pairs], answer.inputs)
        for side, (model, answer) in enumerate(zip(models, answers, strict=True))
    ]
    for one, other in zip(*maps, strict=True):
        names, shape = (one.tap.name, other.tap.name), one.values.shape
        if shape == other.values.shape:
            figures = difference(one.values, other.values)
            yield ComparedLayer(*names, one.tap.op, shape, figures)
        else:
            spelt = " and ".join(" x ".join(map(str, s)) for s in (shape, other.values.shape))
            yield Unmatched(*names, f"the shapes differ: {spelt}")


def _alone(pairs: Sequence[Pair], models: Sequence[ServedModel]) -> Iterator[Unmatched]:
    ones, others = ({pair[side].name for pair in pairs} for side in (0, 1))
    for tap in models[0].manifest.graph.taps:
        if tap.name not in ones:
            yield Unmatched(tap.name, None, "only the first model has it")
    for tap in models[1].manifest.graph.taps:
        if tap.name not in others:
            yield Unmatched(None, tap.name, "only the second model has it")


def _shares(
    pairs: Sequence[Pair], models: Sequence[ServedModel], answers: Sequence[Answer]
) -> list[list[Pair]]:
    """Return the pairs in groups that are held at once."""
    sizes = [_sizes(model, answer) for model, answer in zip(models, answers, strict=True)]
    shares: list[list[Pair]] = []
    room = -1.0
    for pair in pairs:
        needed = max(sizes[side].get(pair[side].name, 0.0) for side in (0, 1))
        if not shares or needed > room:
            shares.append([])
            room = _HELD
        shares[-1].append(pair)
        room -= needed
    return shares


def _sizes(model: ServedModel, answer: Answer) -> dict[str, float]:
    """Return how many numbers each layer makes of such an input, as far as that is known."""
    reference = model.manifest.preprocessing.reference_size
    scale = prod(answer.inputs.shape[1 : 1 + len(reference)]) / prod(reference)
    return {layer.name: scale * _numbers(layer.shape) for layer in model.features.layers().layers}


def _numbers(shape: Shape) -> int:
    return prod(size or 1 for size in shape)
