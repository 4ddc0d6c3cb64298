"""An explanation of a picture or of a window of a sound, in the form that was asked for."""

from time import perf_counter

import numpy as np

from service.api.explain_schemas import (
    ExplainableOut,
    ExplainQuery,
    ExplainTimingOut,
    ExplanationOut,
    MethodOut,
)
from service.api.explain_sources import Source, source_of
from service.api.npy import NPY, write_npy
from service.api.state import ref
from service.tasks.catalog import ServedModel
from service.tasks.reasons.question import Explanation
from service.tasks.reasons.weighing import Steps

PNG, JSON = "image/png", "application/json"


def methods_out(model: ServedModel) -> ExplainableOut:
    """Return what can be asked of the model; reads its graph when first called."""
    plan = model.reasons.plan()
    return ExplainableOut(
        model=ref(model),
        methods=[
            MethodOut(
                method=method,
                default=method == plan.default_method(),
                layers=plan.usable(method),
                default_layer=plan.default_layer(method),
            )
            for method in plan.methods()
        ],
        classes=model.manifest.labels,
    )


def explained(
    model: ServedModel, file: bytes, query: ExplainQuery, media_type: str
) -> Steps[bytes]:
    """Return the answer, in steps.

    Raises: what decoding raises; UnknownLayer; InvalidParameter.
    """
    started = perf_counter()
    source = source_of(model, file, query)
    decoded = perf_counter()
    explanation = yield from model.reasons.explain(query.question, source.subject)
    yield
    if media_type == NPY:
        return write_npy(explanation.values)
    if media_type == PNG:
        label = model.manifest.labels[explanation.class_index]
        draw = source.draw_map if query.render == "map" else source.draw_overlay
        return draw(explanation, label)
    ended = perf_counter()
    timing = ExplainTimingOut(
        decode_ms=round((decoded - started) * 1000, 3),
        compute_ms=round((ended - decoded) * 1000, 3),
        total_ms=round((ended - started) * 1000, 3),
    )
    return _figures(model, explanation, source, timing).model_dump_json().encode()


def _figures(
    model: ServedModel, explanation: Explanation, source: Source, timing: ExplainTimingOut
) -> ExplanationOut:
    finite = explanation.values[np.isfinite(explanation.values)]
    height, width = explanation.values.shape
    return ExplanationOut(
        model=ref(model),
        method=explanation.method,
        layer=explanation.layer,
        class_index=explanation.class_index,
        label=model.manifest.labels[explanation.class_index],
        probability=explanation.probability,
        shape=(height, width),
        minimum=float(finite.min()) if finite.size else None,
        maximum=float(finite.max()) if finite.size else None,
        degenerate=explanation.degenerate,
        reason=explanation.reason,
        peak=source.peak(explanation),
        channels=explanation.channels,
        channels_used=explanation.tried,
        runs=explanation.runs,
        timing=timing,
    )
