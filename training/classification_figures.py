"""Measures an exported classifier as it is served: ONNX Runtime, the service's preprocessing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from service.contract.manifest import Manifest
from service.runtime import open_session
from training.data.pictures import Pictures
from training.data.sounds import Sounds
from training.evaluate import Evaluation, Table
from training.intervals import wilson_interval
from training.served_sounds import ServedSoundClassifier

BATCH = 100
_COUNTED = {"pictures": "images", "sounds": "sounds"}  # heads of columns


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
        """Return how many there are of each class, recall and precision."""
        rows = [
            (
                figures.label,
                str(figures.images),
                f"{figures.recall:.2%}",
                "never predicted" if figures.precision is None else f"{figures.precision:.2%}",
            )
            for figures in self.classes
        ]
        return Table(("class", _COUNTED[self.noun], "recall", "precision"), rows)

    def cell(self, count: int, share: float) -> str:
        return str(count)


class SoundClassifierEvaluation(ClassifierEvaluation):
    """Figures of a classifier of sounds: of whole sounds, whatever number of windows they have."""

    unit: ClassVar[str] = "sounds"
    noun: ClassVar[str] = "sounds"
    about: ClassVar[str] = (
        "A sound gets the class whose logit has the highest mean over its windows. "
        "The interval (Wilson) is for the accuracy over endless sounds of this kind."
    )
    always: ClassVar[str] = "It always answers with one of its classes, whatever is heard."


def evaluate_classifier(
    folder: Path, manifest: Manifest, pictures: Pictures, dataset: str, split: str
) -> ClassifierEvaluation:
    """Return the figures of the model whose graph lies in `folder` on the pictures."""
    probabilities = predict(folder / manifest.graph.file.path, manifest, pictures)
    figures = figures_of(pictures.labels, probabilities.argmax(1), manifest.labels)
    return ClassifierEvaluation(dataset=dataset, split=split, **figures)


def evaluate_sounds(
    folder: Path, manifest: Manifest, sounds: Sounds, dataset: str, split: str
) -> SoundClassifierEvaluation:
    """Return the figures of the model whose graph lies in `folder` on whole sounds."""
    served = ServedSoundClassifier(folder, manifest)
    waveforms = sounds.waveforms(served.spec.sample_rate_hz)
    chosen = np.array([served.logits(waveform).argmax() for waveform in waveforms])
    figures = figures_of(sounds.labels, chosen, manifest.labels)
    return SoundClassifierEvaluation(dataset=dataset, split=split, **figures)


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


def figures_of(
    truth: NDArray[np.int64], chosen: NDArray[np.int64], labels: tuple[str, ...]
) -> dict[str, Any]:
    """Return the fields of an evaluation that follow from true and chosen classes, (N,) each."""
    confusion = np.zeros((len(labels),) * 2, np.int64)
    np.add.at(confusion, (truth, chosen), 1)
    correct = int(np.trace(confusion))
    return {
        "images": len(truth),
        "accuracy": correct / len(truth),
        "interval": wilson_interval(correct, len(truth)),
        "classes": _class_figures(labels, confusion),
        "confusion": confusion.tolist(),
    }


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
