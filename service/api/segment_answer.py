"""What a model said of a picture, written out as the client wants it; all of it blocks."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import orjson

from service.api.npy import NPY, write_npy
from service.api.segment_query import SegmentQuery
from service.api.timings import timing_out
from service.codecs.image import encode_png
from service.codecs.palette_png import encode_palette_png
from service.codecs.sieve import sieve
from service.contract.masks import Mask, Probability
from service.tasks.catalog import ServedModel
from service.tasks.mask_answer import MaskForm, describe_mask
from service.tasks.overlay import render_overlay, render_probability
from service.tasks.segment import Segmented
from service.tasks.timing import Timing

JSON, PNG = "application/json", "image/png"


class Written(NamedTuple):
    """An answer's bytes, and where its time went."""

    content: bytes
    timing: Timing


# The file and what the model said of it; the timing up to the end of its run, and when the request
# started, of perf_counter. It blocks and may raise.
Write = Callable[[bytes, Segmented, Timing, float], Written]


def writer(model: ServedModel, query: SegmentQuery, media_type: str) -> Write:
    """Return what writes an answer of that media type."""
    write = {JSON: _write_json, PNG: _write_picture, NPY: _write_array}[media_type]
    return partial(write, model, query)


def _write_json(
    model: ServedModel,
    query: SegmentQuery,
    _: bytes,
    segmented: Segmented,
    timing: Timing,
    started: float,
) -> Written:
    """Return the JSON of SegmentationOut. Raises: TooLarge if outlines are too ragged."""
    begun = perf_counter()
    described = segmentation_out(model, segmented, query)
    ended = perf_counter()
    timing = replace(timing, total_ms=(ended - started) * 1000)
    described["timing"] = {**timing_out(timing), "encode_ms": round((ended - begun) * 1000, 3)}
    return Written(orjson.dumps(described), timing)


def segmentation_out(
    model: ServedModel, segmented: Segmented, query: SegmentQuery
) -> dict[str, Any]:
    """Return the answer but for its timing, for the server and the command line alike."""
    task = model.segmenting().task
    form = MaskForm(query.format, query.tolerance)
    return {
        "model": {"name": model.manifest.name, "version": model.manifest.version},
        **describe_mask(cleaned(segmented, query), task.labels, task.colors, form),
    }


def _write_picture(
    model: ServedModel,
    query: SegmentQuery,
    data: bytes,
    segmented: Segmented,
    timing: Timing,
    _: float,
) -> Written:
    """Return a PNG of the mask (with a palette), of the picture under it, or of a probability."""
    task = model.segmenting().task
    if query.render == "probability":
        shown = encode_png(render_probability(_probability(model, segmented, query)))
        return Written(shown, timing)
    mask = cleaned(segmented, query)
    if query.render == "mask":
        return Written(encode_palette_png(mask, task.colors), timing)
    return Written(encode_png(render_overlay(task.picture(data), mask, task.colors)), timing)


def _write_array(
    model: ServedModel,
    query: SegmentQuery,
    _: bytes,
    segmented: Segmented,
    timing: Timing,
    __: float,
) -> Written:
    """Return the mask, (H, W) uint8, or a probability, (H, W) float32, as .npy."""
    if query.render == "probability":
        return Written(write_npy(_probability(model, segmented, query)), timing)
    return Written(write_npy(cleaned(segmented, query)), timing)


def cleaned(segmented: Segmented, query: SegmentQuery) -> Mask:
    """Return the mask at the picture's size, without regions that are too small."""
    return sieve(segmented.restore(), query.min_area)


def _probability(model: ServedModel, segmented: Segmented, query: SegmentQuery) -> Probability:
    class_index = query.wanted_class(len(model.manifest.labels))
    assert class_index is not None  # nothing else is asked for a probability
    return segmented.probability(class_index)
