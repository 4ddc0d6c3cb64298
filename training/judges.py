"""What differs between proving and measuring a model of one task and of another."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.contract.manifest import Color, Manifest
from service.contract.specs import FREE_SIZE, AudioPreprocessing, ImagePreprocessing
from training.classification_figures import (
    ClassifierEvaluation,
    SoundClassifierEvaluation,
    evaluate_classifier,
    evaluate_sounds,
)
from training.data.pictures import DataSet, Pictures
from training.data.scenes import Scenes, SceneSet
from training.data.sounds import Sounds
from training.evaluate import Evaluation
from training.gallery import draw_gallery
from training.parity import Inputs
from training.regression_figures import RegressionEvaluation, evaluate_measured
from training.segmentation_figures import SegmenterEvaluation, evaluate_segmenter
from training.segmented import ServedSegmenter
from training.shift import ShiftConsistency, shift_consistency

GOLDEN_PICTURES = 8
# Of scenes, pieces are enough; whole ones would take megabytes.
GOLDEN_SCENES = 3
GOLDEN_PIECE_PX = (64, 96)
# Windows of sounds: all that the picture of a graph needs, and small.
GOLDEN_WINDOWS = 3
PROVEN_PICTURES = 1_000
PROVEN_SOUNDS = 200
PROVEN_SCENES = 100
SHIFTED_SCENES = 20
SHOWN_SCENES = 6
Split = TypeVar("Split", Pictures, Scenes, Sounds)
Pixels = NDArray[np.uint8]


class Judge(Protocol):
    """Proofs and figures of one task; `Any` is its own kind of data set and split.

    evaluation: what its `evaluation.json` holds.
    batch_sizes: in which an export is proven.
    """

    @property
    def evaluation(self) -> type[Evaluation]: ...

    @property
    def batch_sizes(self) -> tuple[int, ...]: ...

    def colors(self, dataset: Any) -> tuple[Color, ...]:
        """Return the colours of the classes in a manifest."""

    def proof(self, split: Any, spec: Any) -> Inputs:
        """Return N model inputs on which an export is proven."""

    def golden(self, inputs: Inputs, spec: Any) -> Inputs:
        """Return the few of these inputs, or the pieces of them, that a version keeps."""

    def evaluate(
        self, folder: Path, manifest: Manifest, split: Any, dataset: str, name: str
    ) -> Evaluation:
        """Return the figures on the split called `name` of the model that lies in `folder`."""

    def shifts(self, folder: Path, manifest: Manifest, split: Any) -> ShiftConsistency | None:
        """Return how the model stands shifts; None where there is nothing to measure."""

    def draw(self, folder: Path, manifest: Manifest, split: Any, into: Path) -> None:
        """Draw what people should see of the model, beside its confusion matrix."""


class _OfClassifiers:
    evaluation = ClassifierEvaluation
    batch_sizes = (1, 64)

    def colors(self, dataset: DataSet) -> tuple[Color, ...]:
        return ()

    def proof(self, split: Pictures, spec: ImagePreprocessing) -> Pixels:
        return some(split, PROVEN_PICTURES).model_inputs(spec)

    def golden(self, inputs: Pixels, spec: ImagePreprocessing) -> Pixels:
        return spread(inputs, GOLDEN_PICTURES)

    def evaluate(
        self, folder: Path, manifest: Manifest, split: Pictures, dataset: str, name: str
    ) -> ClassifierEvaluation:
        return evaluate_classifier(folder, manifest, split, dataset, name)

    def shifts(self, folder: Path, manifest: Manifest, split: Pictures) -> None:
        return None

    def draw(self, folder: Path, manifest: Manifest, split: Pictures, into: Path) -> None:
        pass


class _OfSegmenters:
    evaluation = SegmenterEvaluation
    batch_sizes = (1, 4)

    def colors(self, dataset: SceneSet) -> tuple[Color, ...]:
        return dataset.colors

    def proof(self, split: Scenes, spec: ImagePreprocessing) -> Pixels:
        images, _ = some(split, PROVEN_SCENES).model_inputs(spec)
        return images

    def golden(self, inputs: Pixels, spec: ImagePreprocessing) -> Pixels:
        if spec.resize not in FREE_SIZE:
            return inputs[:1]
        few = spread(inputs, GOLDEN_SCENES)
        for axis, piece in enumerate(GOLDEN_PIECE_PX, start=1):
            size = min(-(-piece // spec.multiple) * spec.multiple, few.shape[axis])
            first = (few.shape[axis] - size) // 2
            few = np.take(few, range(first, first + size), axis)
        return few

    def evaluate(
        self, folder: Path, manifest: Manifest, split: Scenes, dataset: str, name: str
    ) -> SegmenterEvaluation:
        return evaluate_segmenter(folder, manifest, split, dataset, name)

    def shifts(self, folder: Path, manifest: Manifest, split: Scenes) -> ShiftConsistency | None:
        return shift_consistency(ServedSegmenter(folder, manifest), some(split, SHIFTED_SCENES))

    def draw(self, folder: Path, manifest: Manifest, split: Scenes, into: Path) -> None:
        served, few = ServedSegmenter(folder, manifest), some(split, SHOWN_SCENES)
        figure = draw_gallery(served, few, manifest.labels, manifest.colors)
        figure.savefig(into / "masks.png", dpi=100)


class _OfSoundClassifiers:
    evaluation: type[Evaluation] = SoundClassifierEvaluation
    batch_sizes = (1, 16)

    def colors(self, dataset: DataSet[Sounds]) -> tuple[Color, ...]:
        return ()

    def proof(self, split: Sounds, spec: AudioPreprocessing) -> Inputs:
        return some(split, PROVEN_SOUNDS).model_inputs(spec)

    def golden(self, inputs: Inputs, spec: AudioPreprocessing) -> Inputs:
        return spread(inputs, GOLDEN_WINDOWS)

    def evaluate(
        self, folder: Path, manifest: Manifest, split: Sounds, dataset: str, name: str
    ) -> Evaluation:
        return evaluate_sounds(folder, manifest, split, dataset, name)

    def shifts(self, folder: Path, manifest: Manifest, split: Sounds) -> None:
        return None

    def draw(self, folder: Path, manifest: Manifest, split: Sounds, into: Path) -> None:
        pass


class _OfMeasurers(_OfSoundClassifiers):
    evaluation = RegressionEvaluation

    def evaluate(
        self, folder: Path, manifest: Manifest, split: Sounds, dataset: str, name: str
    ) -> RegressionEvaluation:
        return evaluate_measured(folder, manifest, split, dataset, name)


JUDGES: Mapping[str, Judge] = {
    "image-classification": _OfClassifiers(),
    "image-segmentation": _OfSegmenters(),
    "audio-classification": _OfSoundClassifiers(),
    "audio-regression": _OfMeasurers(),
}


def some(split: Split, most: int) -> Split:
    """Return at most `most` items of the split, spread evenly."""
    return split.subset(_evenly(len(split), most))


def spread(inputs: Inputs, most: int) -> Inputs:
    """Return at most `most` of the inputs, spread evenly."""
    return inputs[_evenly(len(inputs), most)]


def _evenly(count: int, most: int) -> NDArray[np.int64]:
    return np.linspace(0, count - 1, min(most, count)).astype(np.int64)
