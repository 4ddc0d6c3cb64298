"""Measures an exported classifier as it is served: ONNX Runtime, the service's preprocessing."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from service.contract.manifest import Manifest
from service.runtime import open_session
from training.data.pictures import Pictures
from training.evaluate import Evaluation, Table
from training.intervals import wilson_interval

BATCH = 100


class ClassFigures(BaseModel):
    """Shares in 0..1; `precision` is None where the class was never predicted."""

    label: str
    images: int
    recall: float
    precision: float | None


class ClassifierEvaluation(Evaluation):
    """Figures of a classifier; the interval of its accuracy is Wilson's."""

    figure: ClassVar[str] = "accuracy"
    unit: ClassVar[str] = "pictures"
    about: ClassVar[str] = (
        "The interval (Wilson) is for the accuracy over endless pictures of this kind."
    )
    always: ClassVar[str] = "It always answers with one of its classes, whatever the picture shows."

    accuracy: float
    classes: list[ClassFigures]

    @property
    def value(self) -> float:
        return self.accuracy

    @property
    def labels(self) -> list[str]:
        return [figures.label for figures in self.classes]

    def class_table(self, others: Sequence[Evaluation] = ()) -> Table:
        """Return images, recall and precision of each class."""
        rows = [
            (
                figures.label,
                str(figures.images),
                f"{figures.recall:.2%}",
                "never predicted" if figures.precision is None else f"{figures.precision:.2%}",
            )
            for figures in self.classes
        ]
        return Table(("class", "images", "recall", "precision"), rows)

    def cell(self, count: int, share: float) -> str:
        return str(count)


def evaluate_classifier(
    folder: Path, manifest: Manifest, pictures: Pictures, dataset: str, split: str
) -> ClassifierEvaluation:
    """Return the figures of the model whose graph lies in `folder` on the pictures."""
    probabilities = predict(folder / manifest.graph.file.path, manifest, pictures)
    confusion = np.zeros((len(manifest.labels),) * 2, np.int64)
    np.add.at(confusion, (pictures.labels, probabilities.argmax(1)), 1)
    correct = int(np.trace(confusion))
    return ClassifierEvaluation(
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
