"""What a picture or a sound is to a model before its last layer: an embedding."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import InvalidParameter, ModelNotReady
from service.graph.layers import Layer
from service.tasks.catalog import Listening, ServedModel
from service.tasks.features import FeatureMaps
from service.tasks.listen import Listener

Pool = Literal["mean", "none"]


@dataclass(frozen=True)
class Embedding:
    """values: float32 (C,), or of the layer's shape if nothing was pooled."""

    layer: str
    values: NDArray[np.float32] = field(repr=False)


def embed(model: ServedModel, file: bytes, layer: str | None, pool: Pool, gone: Event) -> Embedding:
    """Return the embedding of a picture or a sound; blocks.

    layer: a layer's name; None takes what `embedding_layer` does.
    pool: `mean` is over all places of a picture, and over all windows of a sound; those that
        classify is spared because they are silent do not count, unless all are.
    gone: set when nobody waits for the answer any more.
    Raises: UnknownLayer; InvalidParameter; what decoding raises.
    """
    features = model.features
    name = features.tap(layer).name if layer is not None else embedding_layer(model, pool)
    if isinstance(model.answering, Listening):
        listener = model.answering.task
        return Embedding(name, _of_sound(listener, features, file, name, pool, gone))
    values = features.run(name, model.answering.task.model_input(file)[np.newaxis])
    return Embedding(name, _pooled(values)[0] if pool == "mean" else values[0])


def embedding_layer(model: ServedModel, pool: Pool) -> str:
    """Return the layer that says most of what a model has seen.

    That is what its last layer with weights reads, or for a segmenter the last of its coarsest
    maps before that. With nothing pooled, it is the last one at or before it that has places.
    Raises: ModelNotReady if no layer has weights.
    """
    rows = model.features.layers().layers
    names = [row.name for row in rows]
    sources = [filters.source for filters in map(model.features.filters, names) if filters]
    if not sources:
        raise ModelNotReady("The model has no layer with weights, before which to look.")
    source = sources[-1]
    before = rows[: names.index(source) + 1] if source in names else rows
    placed = [row for row in before if row.jump is not None and set(row.shape[1:]) - {1}]
    if model.manifest.task.endswith("segmentation") and placed:
        return _coarsest(placed).name
    return placed[-1].name if pool == "none" and placed else source


def _coarsest(placed: Sequence[Layer]) -> Layer:
    """Return the last of the layers whose cells lie furthest from each other."""

    def distance(row: Layer) -> int:
        return row.jump[0] * row.jump[1] if row.jump else 0

    most = max(map(distance, placed))
    return next(row for row in reversed(placed) if distance(row) == most)


def _of_sound(
    listener: Listener,
    features: FeatureMaps,
    file: bytes,
    layer: str,
    pool: Pool,
    gone: Event,
) -> NDArray[np.float32]:
    if pool == "none":
        raise InvalidParameter(
            "pool=none is for pictures: of a sound, ask for the feature maps of one window."
        )

    def run(windows: NDArray[np.float32], _: bool) -> NDArray[np.float32]:
        return _pooled(features.run(layer, windows))

    outputs = listener.with_run(run).listen(file, gone)[0].outputs
    if not len(outputs):  # all of it is silent
        outputs = listener.with_run(run, spare_silence=False).listen(file, gone)[0].outputs
    mean: NDArray[np.float32] = outputs.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


def _pooled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean over all places of a batch (N, C, ...), (N, C)."""
    flat = values.reshape(*values.shape[:2], -1)
    mean: NDArray[np.float32] = flat.mean(axis=2, dtype=np.float64).astype(np.float32)
    return mean
