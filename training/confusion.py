"""What was measured of a model as JSON for programs and as PNG for people."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from training.evaluate import EVALUATION_NAME, Evaluation
from training.regression_figures import RegressionEvaluation, draw_values


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Write `evaluation.json` and a picture of it into the folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / EVALUATION_NAME).write_text(evaluation.model_dump_json(indent=1) + "\n")
    if isinstance(evaluation, RegressionEvaluation):
        draw_values(evaluation).savefig(folder / "values.png", dpi=120)
    else:
        draw_confusion(evaluation).savefig(folder / "confusion.png", dpi=120)


def draw_confusion(evaluation: Evaluation) -> Figure:
    """Return a figure with rows as true classes, shaded by the share of the row."""
    labels = evaluation.labels
    counts = np.array(evaluation.confusion)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = min(16.0, 3 + 0.55 * len(labels))
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap=mpl.colormaps["Blues"], vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(
        f"{evaluation.dataset} {evaluation.split}: {evaluation.figure} {evaluation.value:.2%} "
        f"on {evaluation.images} {evaluation.noun}"
    )
    if len(labels) <= 30:  # beyond that the numbers could not be read
        for (row, column), count in np.ndenumerate(counts):
            color = "white" if shares[row, column] > 0.5 else "black"
            if count:
                text = evaluation.cell(int(count), float(shares[row, column]))
                axes.text(column, row, text, ha="center", va="center", color=color, size=8)
    return figure
