"""What was measured of an exported model, whatever its task."""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
from pydantic import BaseModel

from service.contract.manifest import Metric
from training.intervals import Interval

EVALUATION_NAME = "evaluation.json"


class Table(NamedTuple):
    """A table for people."""

    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


class Evaluation(BaseModel):
    """Figures of one model on one split, from single forward passes, as it is served.

    A task names its main figure and adds the others.
    interval: 95 % interval of the main figure.
    images: how many pictures or sounds the split has.
    confusion: rows are true classes, columns predictions; in images, sounds or pixels.
    figure: what the main figure is called.
    unit: what is counted in `confusion`.
    noun: what the split is made of.
    chosen_by: a sentence's end: that the split did not choose the model.
    about: what the figures mean, for a card.
    always: the failing that every model of this kind has.
    """

    figure: ClassVar[str]
    unit: ClassVar[str]
    noun: ClassVar[str] = "pictures"
    chosen_by: ClassVar[str] = "which did not choose the checkpoint"
    about: ClassVar[str]
    always: ClassVar[str]

    dataset: str
    split: str
    images: int
    interval: Interval
    confusion: list[list[int]]

    @property
    def value(self) -> float:
        """The main figure, in 0..1."""
        raise NotImplementedError

    @property
    def labels(self) -> list[str]:
        """The classes in the order of their indices."""
        raise NotImplementedError

    def class_table(self, others: Sequence["Evaluation"] = ()) -> Table:
        """Return a row a class; others: the same model on other splits, to stand beside."""
        raise NotImplementedError

    def cell(self, count: int, share: float) -> str:
        """Return what stands in a cell of the drawn matrix; share: of its row."""
        raise NotImplementedError

    def notes(self) -> list[str]:
        """Return a sentence for each further figure."""
        return []

    def sentence(self) -> str:
        """Return the main figure with all that is needed to judge it."""
        low, high = self.interval
        return (
            f"{self.figure} {self.value:.2%} (95 % interval {low:.2%} to {high:.2%}) "
            f"on {self.images} {self.noun} of {self.dataset} {self.split}"
        )

    def confusions(self, most: int = 5) -> str:
        """Return the commonest confusions as a sentence, empty if there are none."""
        found = [
            (count, truth, said)
            for truth, row in enumerate(self.confusion)
            for said, count in enumerate(row)
            if truth != said and count
        ]
        labels = self.labels
        worst = sorted(found, reverse=True)[:most]
        listed = "; ".join(f"{labels[t]} taken for {labels[s]} ({n:,})" for n, t, s in worst)
        return f"Most frequent confusions, in {self.unit}: {listed}." if listed else ""


def main_metric(evaluations: Sequence[Evaluation]) -> Metric:
    """Return the first evaluation's main figure, with mean and spread over all of them."""
    first = evaluations[0]
    values = np.array([evaluation.value for evaluation in evaluations])
    several = len(values) > 1
    return Metric(
        name=first.figure,
        dataset=first.dataset,
        split=first.split,
        value=first.value,
        images=first.images,
        interval=first.interval,
        runs=len(values),
        mean=float(values.mean()) if several else None,
        spread=float(values.std(ddof=1)) if several else None,
    )
