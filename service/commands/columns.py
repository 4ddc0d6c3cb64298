"""The columns of `convscope predict --out` as a table, by what the model does."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from service.contract.manifest import Manifest
from service.sweep.tables import Column, Record, Table, Type
from service.tasks.catalog import ServedModel

_PREDICTION: tuple[tuple[str, Type], ...] = (
    ("label", "text"),
    ("class_index", "integer"),
    ("probability", "real"),
)


def table_for(model: ServedModel, top_k: int) -> Table:
    """Return the table for the model's answers."""
    manifest = model.manifest
    duration = [_field("duration_s", "real")] if model.listens else []
    if model.verb == "measure":
        return Table([*duration, *_values(manifest)])
    if model.verb == "classify":
        return Table([*duration, *_predictions(min(top_k, len(manifest.labels)))])
    if model.listens:
        return Table([*duration, *_classes(manifest, "seconds", "real")])
    size = [_field("height", "integer"), _field("width", "integer")]
    return Table([*size, *_classes(manifest, "pixels", "integer")])


def _field(name: str, type: Type) -> Column:
    return Column(name, type, lambda record: record[name])


def _predictions(count: int) -> list[Column]:
    """Return label, class_index and probability, and the same of the next with `_2`, and so on."""

    def value(number: int, name: str, record: Record) -> Any:
        return record["predictions"][number][name]

    return [
        Column(name if number == 0 else f"{name}_{number + 1}", type, partial(value, number, name))
        for number in range(count)
        for name, type in _PREDICTION
    ]


def _classes(manifest: Manifest, what: str, type: Type) -> list[Column]:
    """Return how much of the whole each class has; 0 for one that is nowhere."""

    def value(class_index: int, record: Record) -> Any:
        shares = {entry["class_index"]: entry[what] for entry in record["classes"]}
        return shares.get(class_index, 0)

    return _numbered([f"{what}_{label}" for label in manifest.labels], type, value)


def _values(manifest: Manifest) -> list[Column]:
    def value(number: int, record: Record) -> Any:
        return record["values"][number]["value"]

    pairs = zip(manifest.labels, manifest.units, strict=True)
    return _numbered(["_".join(filter(None, pair)) for pair in pairs], "real", value)


def _numbered(
    names: Sequence[str], type: Type, value: Callable[[int, Record], Any]
) -> list[Column]:
    """Return a column for each name, which is told apart by its number if there are two of it."""
    return [
        Column(name if names.count(name) == 1 else f"{name}_{number}", type, partial(value, number))
        for number, name in enumerate(names)
    ]
