"""All that can be asked; each function is a method of both clients.

file: a path, the bytes of a picture or a sound, an open file, a picture of Pillow's, or pixels
    (H, W) or (H, W, 3) uint8. model: its name. version: pins one; unset, the highest ready.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from service.client.call import (
    NPY,
    Call,
    as_a,
    as_array,
    as_each,
    as_models,
    as_readiness,
    as_vectors,
)
from service.client.errors import Refused
from service.client.files import File
from service.client.results import (
    Classification,
    Explanation,
    Layers,
    Measurement,
    Model,
    Readiness,
    Segmentation,
    SoundSegmentation,
    Stability,
)

Channels = str | Sequence[int]
Vector = NDArray[np.float32]


def classify(
    file: File, model: str | None = None, *, top_k: int = 5, version: int | None = None
) -> Call[Classification]:
    """Return the `top_k` likeliest classes of a picture or a sound.

    model: unset, the server's default for what the file is.
    """
    query = _query(top_k=top_k, version=version)
    return Call(_at(model, "classify"), as_a(Classification), query, files=[file])


def classify_all(
    files: Sequence[File],
    model: str | None = None,
    *,
    top_k: int = 5,
    version: int | None = None,
) -> Call[list[Classification | Refused]]:
    """Return for each file its classes, or why there are none, from one request."""
    query = _query(top_k=top_k, version=version)
    path = _at(model, "classify")
    return Call(path, as_each(Classification), query, files=files, several=True)


def segment(
    file: File,
    model: str | None = None,
    *,
    min_area: int | None = None,
    tile: str | int | None = None,
    resolution: str | None = None,
    version: int | None = None,
) -> Call[Segmentation]:
    """Return the class of every pixel of a picture; `mask` is the array (H, W).

    min_area: regions of fewer pixels are given to the class next to them. tile: `auto`, `off` or
        a side in pixels. resolution: `model`, or `original` to take every pixel.
    """
    query = _query(min_area=min_area, tile=tile, resolution=resolution, version=version)
    return Call(_at(model, "segment"), as_a(Segmentation), query, files=[file])


def segment_all(
    files: Sequence[File],
    model: str | None = None,
    *,
    min_area: int | None = None,
    tile: str | int | None = None,
    resolution: str | None = None,
    version: int | None = None,
) -> Call[list[Segmentation | Refused]]:
    """Return for each picture the class of every pixel, or why there is none."""
    query = _query(min_area=min_area, tile=tile, resolution=resolution, version=version)
    path = _at(model, "segment")
    return Call(path, as_each(Segmentation), query, files=files, several=True)


def segment_sound(
    file: File,
    model: str | None = None,
    *,
    min_seconds: float | None = None,
    version: int | None = None,
) -> Call[SoundSegmentation]:
    """Return the class of every moment of a sound.

    min_seconds: shorter spans are given to those beside them.
    """
    query = _query(min_seconds=min_seconds, version=version)
    return Call(_at(model, "segment"), as_a(SoundSegmentation), query, files=[file])


def segment_sounds(
    files: Sequence[File],
    model: str | None = None,
    *,
    min_seconds: float | None = None,
    version: int | None = None,
) -> Call[list[SoundSegmentation | Refused]]:
    """Return for each sound the class of every moment, or why there is none."""
    query = _query(min_seconds=min_seconds, version=version)
    path = _at(model, "segment")
    return Call(path, as_each(SoundSegmentation), query, files=files, several=True)


def measure(file: File, model: str, *, version: int | None = None) -> Call[Measurement]:
    """Return the numbers that the model reads off a sound, such as its tempo."""
    query = _query(version=version)
    return Call(_at(model, "measure"), as_a(Measurement), query, files=[file])


def measure_all(
    files: Sequence[File], model: str, *, version: int | None = None
) -> Call[list[Measurement | Refused]]:
    """Return for each sound its numbers, or why there are none."""
    query = _query(version=version)
    return Call(_at(model, "measure"), as_each(Measurement), query, files=files, several=True)


def embed(
    file: File,
    model: str,
    *,
    layer: str | None = None,
    pool: str = "mean",
    version: int | None = None,
) -> Call[Vector]:
    """Return the values of a layer as float32: (C,), or (C, H, W) with pool="none"."""
    query = _query(layer=layer, pool=pool, version=version)
    return Call(_at(model, "embed"), as_array, query, accept=NPY, files=[file])


def embed_all(
    files: Sequence[File],
    model: str,
    *,
    layer: str | None = None,
    pool: str = "mean",
    version: int | None = None,
) -> Call[list[Vector | Refused]]:
    """Return for each file the values of a layer, or why there are none."""
    query = _query(layer=layer, pool=pool, version=version)
    return Call(_at(model, "embed"), as_vectors, query, files=files, several=True)


def feature_maps(
    file: File,
    model: str,
    layer: str,
    *,
    channels: Channels = "all",
    top_k: int | None = None,
    start_s: float | None = None,
    version: int | None = None,
) -> Call[Vector]:
    """Return what a layer makes of a picture or of a window of a sound, (C, H, W) float32.

    layer: its name, or the path of a module. channels: such as "0-15,20", or numbers. top_k: of
        these only the strongest. start_s: where the window of a sound begins.
    """
    query = _query(layer=layer, channels=_listed(channels), top_k=top_k)
    query |= _query(start_s=start_s, version=version)
    return Call(_at(model, "feature-maps"), as_array, query, accept=NPY, files=[file])


def explain(
    file: File,
    model: str,
    *,
    method: str = "auto",
    class_index: int | None = None,
    layer: str | None = None,
    x: int | None = None,
    y: int | None = None,
    start_s: float | None = None,
    version: int | None = None,
) -> Call[Explanation]:
    """Return the figures of a map of where the model looks for a class.

    class_index: unset, the likeliest. x, y: of a segmenter, the pixel to explain.
    start_s: where the window of a sound begins.
    """
    query = _query(method=method, class_index=class_index, layer=layer, x=x, y=y)
    query |= _query(start_s=start_s, version=version)
    return Call(_at(model, "explain"), as_a(Explanation), query, files=[file])


def explain_map(
    file: File,
    model: str,
    *,
    method: str = "auto",
    class_index: int | None = None,
    layer: str | None = None,
    x: int | None = None,
    y: int | None = None,
    start_s: float | None = None,
    version: int | None = None,
) -> Call[Vector]:
    """Return the map itself, (H, W) float32, for the same questions as `explain`."""
    query = _query(method=method, class_index=class_index, layer=layer, x=x, y=y)
    query |= _query(start_s=start_s, version=version)
    return Call(_at(model, "explain"), as_array, query, accept=NPY, files=[file])


def stability(
    file: File,
    model: str,
    *,
    transform: str = "all",
    class_index: int | None = None,
    start_s: float | None = None,
    version: int | None = None,
) -> Call[Stability]:
    """Return how the answer changes as the picture or the window of a sound is moved."""
    query = _query(transform=transform, class_index=class_index)
    query |= _query(start_s=start_s, version=version)
    return Call(_at(model, "stability"), as_a(Stability), query, files=[file])


def kernels(
    model: str,
    layer: str | None = None,
    *,
    channels: Channels = "all",
    version: int | None = None,
) -> Call[Vector]:
    """Return the filters of a layer, (outputs, inputs, H, W) or (outputs, inputs, L) float32.

    layer: unset, the first convolution.
    """
    query = _query(layer=layer, channels=_listed(channels), version=version)
    return Call(_at(model, "kernels"), as_array, query, accept=NPY)


def layers(model: str, *, version: int | None = None) -> Call[Layers]:
    """Return the layer table of a model."""
    return Call(_at(model, "layers"), as_a(Layers), _query(version=version))


def models() -> Call[tuple[Model, ...]]:
    """Return what is served."""
    return Call("/v1/models", as_models)


def model(name: str) -> Call[Model]:
    """Return one model with its versions."""
    return Call(f"/v1/models/{quote(name, safe='')}", as_a(Model))


def ready() -> Call[Readiness]:
    """Return whether the server should get requests; false is an answer, not an exception."""
    return Call("/readyz", as_readiness, expected=frozenset({200, 503}))


def _at(model: str | None, verb: str) -> str:
    return f"/v1/{verb}" if model is None else f"/v1/models/{quote(model, safe='')}/{verb}"


def _query(**parameters: Any) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value is not None}


def _listed(channels: Channels) -> str:
    return channels if isinstance(channels, str) else ",".join(map(str, channels))
