"""Measures an exported model that measures, as it is served, against values that are known."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pydantic import Field

from service.contract.manifest import Manifest
from training.data.sounds import Sounds
from training.evaluate import Evaluation, Table
from training.intervals import wilson_interval
from training.served_sounds import ServedMeasurer

# Accuracies 1 and 2 of Gouyon et al., An experimental comparison of audio tempo induction
# algorithms, IEEE Transactions on Audio, Speech, and Language Processing 14(5), 2006.
TOLERANCE = 0.04
FACTORS = (1, 2, 3, 1 / 2, 1 / 3)
_BANDS = 5


class RegressionEvaluation(Evaluation):
    """Figures of a model that measures one quantity above zero; the interval is Wilson's.

    truth, said: the value of each sound, and what the model said of the whole sound.
    """

    figure: ClassVar[str] = "accuracy within 4 %"
    unit: ClassVar[str] = "sounds"
    noun: ClassVar[str] = "sounds"
    about: ClassVar[str] = (
        "A sound gets the median of what is said of its windows, and that is right if it is within "
        "4 % of the true value. The interval (Wilson) is for endless sounds of this kind."
    )
    always: ClassVar[str] = "It always answers with a number, whatever is heard."

    confusion: list[list[int]] = Field(default=[])
    quantity: str
    measured_in: str
    truth: list[float]
    said: list[float]

    @property
    def value(self) -> float:
        return float(self.right().mean())

    @property
    def labels(self) -> list[str]:
        return [self.quantity]

    def right(self, factors: Sequence[float] = (1,)) -> NDArray[np.bool_]:
        """Return of which sounds a factor times the truth was said, within the tolerance."""
        ratios = np.array(self.said) / np.array(self.truth)
        near = [abs(ratios / factor - 1) <= TOLERANCE for factor in factors]
        return np.logical_or.reduce(near)

    def mean_error(self) -> float:
        """Return the mean distance from the truth, in the unit of the quantity."""
        return float(np.abs(np.array(self.said) - np.array(self.truth)).mean())

    def notes(self) -> list[str]:
        octaves = self.right(FACTORS)
        return [
            f"within 4 % of the {self.quantity}, or of its double, triple, half or third: "
            f"{octaves.mean():.2%}",
            f"mean error: {self.mean_error():.2f} {self.measured_in}",
        ]

    def class_table(self, others: Sequence[Evaluation] = ()) -> Table:
        """Return a row for each of some bands of the true value, which hold as many sounds each."""
        head = (f"{self.quantity} ({self.measured_in})", "sounds", "within 4 %", "or of a multiple")
        truth, right, octaves = np.array(self.truth), self.right(), self.right(FACTORS)
        return Table(
            head,
            [
                (
                    f"{truth[band].min():.0f} to {truth[band].max():.0f}",
                    str(len(band)),
                    f"{right[band].mean():.2%}",
                    f"{octaves[band].mean():.2%}",
                )
                for band in np.array_split(truth.argsort(kind="stable"), _BANDS)
                if len(band)
            ],
        )

    def cell(self, count: int, share: float) -> str:
        return str(count)


def evaluate_measured(
    folder: Path, manifest: Manifest, sounds: Sounds, dataset: str, split: str
) -> RegressionEvaluation:
    """Return the figures of the model whose graph lies in `folder` on whole sounds."""
    served = ServedMeasurer(folder, manifest)
    said = [float(served.values(w)[0]) for w in sounds.waveforms(served.spec.sample_rate_hz)]
    found = RegressionEvaluation(
        dataset=dataset,
        split=split,
        images=len(sounds),
        interval=(0.0, 1.0),
        quantity=manifest.labels[0],
        measured_in=manifest.units[0],
        truth=sounds.labels.tolist(),
        said=said,
    )
    interval = wilson_interval(int(found.right().sum()), len(sounds))
    return found.model_copy(update={"interval": interval})


def draw_values(evaluation: RegressionEvaluation) -> Figure:
    """Return a figure of what was said over what is true, with a line for each of FACTORS."""
    figure = Figure(figsize=(7, 7), layout="constrained")
    axes = figure.add_subplot()
    truth, said, right = np.array(evaluation.truth), np.array(evaluation.said), evaluation.right()
    ends = np.array([min(truth.min(), said.min()), max(truth.max(), said.max())])
    for factor in FACTORS:
        axes.plot(ends, ends * factor, color="gray", linewidth=1 if factor == 1 else 0.4, zorder=0)
    axes.scatter(truth[right], said[right], s=8, label="within 4 %")
    axes.scatter(truth[~right], said[~right], s=14, marker="x", label="not")
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = np.geomspace(*ends, 6)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(ticks, [f"{tick:.3g}" for tick in ticks])
        axis.set_ticks([], minor=True)
    axes.set_xlim(ends[0] / 1.05, ends[1] * 1.05)
    axes.set_ylim(ends[0] / 1.05, ends[1] * 1.05)
    axes.set_xlabel(f"true {evaluation.quantity} ({evaluation.measured_in})")
    axes.set_ylabel(f"{evaluation.quantity} said ({evaluation.measured_in})")
    axes.set_title(
        f"{evaluation.dataset} {evaluation.split}: {evaluation.figure} {evaluation.value:.2%} "
        f"on {evaluation.images} {evaluation.noun}",
        size=10,
    )
    axes.legend(loc="upper left")
    return figure
