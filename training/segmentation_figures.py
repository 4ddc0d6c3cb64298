"""Measures an exported segmenter as it is served, at every pixel of the pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from service.contract.errors import SetupError
from service.contract.manifest import Manifest
from training.boundaries import boundary_f_score
from training.data.scenes import Scenes
from training.data.warp import VOID
from training.evaluate import Evaluation, Table
from training.intervals import bootstrap_interval
from training.segmented import Mask, ServedSegmenter
from training.shift import ShiftConsistency

Confusion = NDArray[np.int64]  # (..., true class, predicted class), in pixels


class ClassOverlap(BaseModel):
    """Figures of one class; None where the truth has no pixel of it.

    pixels: that are truly of the class.
    share: of all pixels that are not void, in 0..1.
    iou: pixels that are and were said to be of the class, of those that are or were.
    accuracy: share of the class's pixels that were found.
    """

    label: str
    pixels: int
    share: float
    iou: float | None
    accuracy: float | None


class SegmenterEvaluation(Evaluation):
    """Figures of a segmenter over all pixels that are not void, at the pictures' own size.

    mean_iou: over the classes that the truth has, each from the pixels of all images together.
    interval: of mean_iou, by bootstrap over the images.
    boundary_f_score: mean over the images; see `boundary_f_score`. None without any boundary.
    shift: of a few of the pictures, where it was measured.
    """

    figure: ClassVar[str] = "mean IoU"
    unit: ClassVar[str] = "pixels"
    about: ClassVar[str] = (
        "Masks are compared at the pictures' own size, void pixels not at all. A class's IoU is "
        "taken over the pixels of all pictures together, their mean over the classes that there "
        "are. The interval is a bootstrap over pictures, which takes them for independent: where "
        "many are frames of one drive, it is too narrow."
    )
    always: ClassVar[str] = "Every pixel gets one of its classes, whatever it shows."

    mean_iou: float
    pixel_accuracy: float
    mean_class_accuracy: float
    boundary_f_score: float | None
    classes: list[ClassOverlap]
    shift: ShiftConsistency | None = None

    @property
    def value(self) -> float:
        return self.mean_iou

    @property
    def labels(self) -> list[str]:
        return [overlap.label for overlap in self.classes]

    def class_table(self, others: Sequence[Evaluation] = ()) -> Table:
        """Return share of the pixels, IoU and accuracy of each class, split beside split."""
        every = [self, *(other for other in others if isinstance(other, SegmenterEvaluation))]
        names = [f"{name} ({e.split})" for e in every for name in ("share", "IoU", "accuracy")]
        rows = []
        for i, label in enumerate(self.labels):
            overlaps = [evaluation.classes[i] for evaluation in every]
            cells = [_shown(v) for o in overlaps for v in (o.share, o.iou, o.accuracy)]
            rows.append((label, *cells))
        return Table(("class", *names), rows)

    def cell(self, count: int, share: float) -> str:
        # millions of pixels would not fit; a hundredth of a percent is not worth its space
        return f"{share:.1%}"

    def notes(self) -> list[str]:
        found = [
            f"Pixel accuracy {self.pixel_accuracy:.2%}, mean class accuracy "
            f"{self.mean_class_accuracy:.2%}."
        ]
        if self.boundary_f_score is not None:
            found.append(
                f"Boundary F-score {self.boundary_f_score:.2%} (Csurka et al., BMVC 2013: outlines "
                "within 0.75 % of the diagonal, mean over a picture's classes, then pictures)."
            )
        return found + ([self.shift.sentence()] if self.shift else [])


def evaluate_segmenter(
    folder: Path, manifest: Manifest, scenes: Scenes, dataset: str, split: str
) -> SegmenterEvaluation:
    """Return the figures of the model whose graph lies in `folder` on the scenes.

    Raises: SetupError if no pixel of the split has a class.
    """
    served = ServedSegmenter(folder, manifest)
    classes = len(manifest.labels)
    confusions: list[Confusion] = []
    edges: list[float] = []
    for i in range(len(scenes)):
        pixels, truth = scenes.pair(i)
        predicted = served.segment(pixels)
        confusions.append(count_pixels(truth, predicted, classes))
        score = boundary_f_score(truth, predicted)
        edges += [] if score is None else [score]
    total = np.sum(confusions, axis=0)
    if not total.any():
        raise SetupError(f"{dataset}: no pixel of the {split} split has a class")
    return SegmenterEvaluation(
        dataset=dataset,
        split=split,
        images=len(scenes),
        mean_iou=mean_iou(total),
        pixel_accuracy=float(np.trace(total) / total.sum()),
        mean_class_accuracy=float(np.nanmean(class_accuracies(total))),
        boundary_f_score=float(np.mean(edges)) if edges else None,
        interval=bootstrap_interval(np.array(confusions), mean_iou),
        classes=_overlaps(manifest.labels, total),
        confusion=total.tolist(),
    )


def count_pixels(truth: Mask, predicted: Mask, classes: int) -> Confusion:
    """Return (classes, classes) int64 of one image; pixels whose truth is VOID do not count."""
    known = truth != VOID
    pairs = truth[known].astype(np.int64) * classes + predicted[known]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def class_ious(confusion: Confusion) -> NDArray[np.float64]:
    """Return the IoU of each class, NaN where the truth has none of it."""
    hits, truly, said = np.diagonal(confusion), confusion.sum(1), confusion.sum(0)
    return np.where(truly > 0, hits / np.maximum(truly + said - hits, 1), np.nan)


def class_accuracies(confusion: Confusion) -> NDArray[np.float64]:
    """Return the share of each class's pixels that was found, NaN where there are none."""
    truly = confusion.sum(1)
    return np.where(truly > 0, np.diagonal(confusion) / np.maximum(truly, 1), np.nan)


def mean_iou(confusion: Confusion) -> float:
    """Return the mean IoU over the classes that the truth has; NaN if it has none."""
    return float(np.nanmean(class_ious(confusion))) if confusion.any() else float("nan")


def _overlaps(labels: Sequence[str], confusion: Confusion) -> list[ClassOverlap]:
    truly = confusion.sum(1)
    figures = zip(class_ious(confusion), class_accuracies(confusion), strict=True)
    return [
        ClassOverlap(
            label=label,
            pixels=int(pixels),
            share=float(pixels / truly.sum()),
            iou=None if pixels == 0 else float(iou),
            accuracy=None if pixels == 0 else float(accuracy),
        )
        for label, pixels, (iou, accuracy) in zip(labels, truly, figures, strict=True)
    ]


def _shown(value: float | None) -> str:
    return "none there" if value is None else f"{value:.2%}"
