"""Measures an exported model as it is served: ONNX Runtime and the service's preprocessing."""

from math import sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from service.contract.manifest import Manifest, Metric
from service.runtime import open_session
from training.data.pictures import Pictures

BATCH = 100


class ClassFigures(BaseModel):
    """Shares in 0..1; `precision` is None where the class was never predicted."""

    label: str
    images: int
    recall: float
    precision: float | None


class Evaluation(BaseModel):
    """Figures of one model on one split, from single forward passes.

    interval: 95 % Wilson interval of the accuracy.
    confusion: rows are true classes, columns predictions.
    """

    dataset: str
    split: str
    images: int
    accuracy: float
    interval: tuple[float, float]
    classes: list[ClassFigures]
    confusion: list[list[int]]


def evaluate_model(
    folder: Path, manifest: Manifest, pictures: Pictures, dataset: str, split: str
) -> Evaluation:
    """Return the figures of the model whose graph lies in `folder` on the pictures."""
    probabilities = predict(folder / manifest.graph.file.path, manifest, pictures)
    confusion = np.zeros((len(manifest.labels),) * 2, np.int64)
    np.add.at(confusion, (pictures.labels, probabilities.argmax(1)), 1)
    correct = int(np.trace(confusion))
    return Evaluation(
        dataset=dataset,
        split=split,
        images=len(pictures),
        accuracy=correct / len(pictures),
        interval=wilson_interval(correct, len(pictures)),
        classes=_class_figures(manifest.labels, confusion),
        confusion=confusion.tolist(),
    )


def predict(graph: Path, manifest: Manifest, pictures: Pictures) -> NDArray[np.float32]:
    """Return probabilities (N, classes), through the very code that serves, on its device."""
    session = open_session(graph, str(graph))
    inputs = pictures.model_inputs(manifest.preprocessing)
    name = manifest.graph.inputs[0].name
    output = manifest.graph.output_of_role("probabilities")
    assert output is not None  # the manifest would not have been valid
    parts = [
        session.run({name: inputs[start : start + BATCH]})[output.name]
        for start in range(0, len(inputs), BATCH)
    ]
    return np.concatenate(parts)


def wilson_interval(correct: int, images: int) -> tuple[float, float]:
    """Return the 95 % interval of a proportion (E. B. Wilson, 1927).

    >>> low, high = wilson_interval(90, 100)
    >>> round(low, 3), round(high, 3)
    (0.826, 0.945)
    """
    z = 1.959964
    share = correct / images
    center = share + z * z / (2 * images)
    reach = z * sqrt(share * (1 - share) / images + z * z / (4 * images * images))
    scale = 1 + z * z / images
    return (center - reach) / scale, (center + reach) / scale


def accuracy_metric(evaluations: list[Evaluation]) -> Metric:
    """Return the first evaluation's accuracy, with mean and spread over all of them."""
    first = evaluations[0]
    values = np.array([evaluation.accuracy for evaluation in evaluations])
    several = len(values) > 1
    return Metric(
        name="accuracy",
        dataset=first.dataset,
        split=first.split,
        value=first.accuracy,
        images=first.images,
        interval=first.interval,
        runs=len(values),
        mean=float(values.mean()) if several else None,
        spread=float(values.std(ddof=1)) if several else None,
    )


def _class_figures(labels: tuple[str, ...], confusion: NDArray[np.int64]) -> list[ClassFigures]:
    figures = []
    for i, label in enumerate(labels):
        hits, truly, said = confusion[i, i], confusion[i].sum(), confusion[:, i].sum()
        recall = float(hits / truly) if truly else 0.0
        precision = float(hits / said) if said else None
        figures.append(
            ClassFigures(label=label, images=int(truly), recall=recall, precision=precision)
        )
    return figures
