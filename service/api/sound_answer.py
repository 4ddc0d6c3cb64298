"""What a model said of a sound, written out; all of it blocks."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from service.contract.postprocess import Prediction, top_predictions
from service.tasks.catalog import ServedModel
from service.tasks.listen import Heard
from service.tasks.spans import Spans, spans_of
from service.tasks.verdict import Probabilities, Verdict

_DIGITS = 6  # of seconds: a microsecond is less than a sample


def sound_classes_out(model: ServedModel, heard: Heard, top_k: int) -> dict[str, Any]:
    """Return SoundClassificationOut but for its timing.

    Raises: InvalidAudio if the sound is silent throughout.
    """
    labels = model.manifest.labels
    verdict = Verdict(heard, model.listening("classify").task.spec)
    segments = [
        {"start_s": start_s, "end_s": end_s, "predictions": predictions}
        for (start_s, end_s), predictions in zip(
            verdict.times_s.round(_DIGITS).tolist(),
            _all_predictions(verdict.probabilities, labels, top_k),
            strict=True,
        )
    ]
    for number in np.flatnonzero(verdict.silent):
        segments[number].update(predictions=[], silent=True)
    return {
        "model": {"name": model.manifest.name, "version": model.manifest.version},
        "predictions": predictions_out(top_predictions(verdict.whole(), labels, top_k)),
        "segments": segments,
        "duration_s": round(verdict.duration_s, _DIGITS),
    }


def predictions_out(predictions: Iterable[Prediction]) -> list[dict[str, Any]]:
    """Return a PredictionOut for each."""
    return [
        {"label": label, "class_index": class_index, "probability": probability}
        for label, class_index, probability in predictions
    ]


def _all_predictions(
    probabilities: Probabilities, labels: tuple[str, ...], top_k: int
) -> list[list[dict[str, Any]]]:
    """Return what `top_predictions` gives for each row, for thousands of them at once."""
    order = (-probabilities).argsort(axis=1, kind="stable")[:, :top_k]
    sorted_ = np.take_along_axis(probabilities, order, axis=1)
    return [
        predictions_out(map(Prediction, (labels[i] for i in indices), indices, values))
        for indices, values in zip(order.tolist(), sorted_.tolist(), strict=True)
    ]


def spans_out(model: ServedModel, heard: Heard, min_seconds: float) -> dict[str, Any]:
    """Return SoundSegmentationOut but for its timing."""
    spans = spans_of(heard, model.listening("segment").task.spec, min_seconds)
    labels = model.manifest.labels
    borders = spans.borders_s.round(_DIGITS).tolist()
    return {
        "model": {"name": model.manifest.name, "version": model.manifest.version},
        "duration_s": borders[-1],
        "frame_s": spans.frame_s,
        "classes": _classes(spans, labels),
        "segments": [
            {"start_s": start_s, "end_s": end_s, "class_index": index, "label": labels[index]}
            for start_s, end_s, index in zip(
                borders, borders[1:], spans.class_indices.tolist(), strict=False
            )
        ],
    }


def _classes(spans: Spans, labels: tuple[str, ...]) -> list[dict[str, Any]]:
    seconds = spans.seconds(len(labels))
    return [
        {
            "class_index": index,
            "label": labels[index],
            "seconds": round(float(seconds[index]), _DIGITS),
            "share": float(seconds[index] / spans.duration_s),
        }
        for index in (-seconds).argsort(kind="stable").tolist()
        if seconds[index]
    ]
