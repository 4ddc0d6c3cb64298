"""What trainings on different parts of one data set say together."""

from pathlib import Path

import numpy as np
from pydantic import BaseModel

from service.contract.errors import SetupError
from service.contract.manifest import Metric
from training.evaluate import Evaluation, Table
from training.intervals import wilson_interval

CROSS_VALIDATION_NAME = "crossvalidation.json"


class CrossValidation(BaseModel):
    """Accuracies of models that were each tested on what they alone had not heard.

    recipe: what made them; recipe_sha256: of its text, None where it is no recipe.
    column: of the data set's table, whose values `folds` were held out in turn.
    accuracies: in 0..1, a row for each of `seeds`, a column for each of the folds.
    sounds: how many each fold has.
    confusion: rows are true classes, columns predictions, summed over folds and seeds.
    minutes: of training, over all of them.
    """

    dataset: str
    recipe: str
    recipe_sha256: str | None
    column: str
    folds: list[str]
    seeds: list[int]
    sounds: list[int]
    accuracies: list[list[float]]
    labels: list[str]
    confusion: list[list[int]]
    minutes: float | None = None

    @property
    def means(self) -> list[float]:
        """Mean accuracy over the folds, for each seed."""
        return [float(np.mean(row)) for row in self.accuracies]

    def metric(self) -> Metric:
        """Return the entry in the manifest: the first seed's mean, and all of theirs."""
        total, means = sum(self.sounds), self.means
        pooled = np.dot(self.accuracies[0], self.sounds)
        several = len(means) > 1
        return Metric(
            name="accuracy",
            dataset=self.dataset,
            split=f"{len(self.folds)} {self.column}s in turn",
            value=means[0],
            images=total,
            interval=wilson_interval(round(float(pooled)), total),
            runs=len(means),
            mean=float(np.mean(means)) if several else None,
            spread=float(np.std(means, ddof=1)) if several else None,
        )

    def row(self) -> tuple[str, ...]:
        """Return the name, the mean with its spread over seeds, and the mean of every fold."""
        metric = self.metric()
        mean = metric.value if metric.mean is None else metric.mean
        spread = "" if metric.spread is None else f" ± {metric.spread:.2%}"
        folds = np.mean(self.accuracies, axis=0)
        return self.recipe, f"{mean:.2%}{spread}", str(metric.runs), *(f"{x:.1%}" for x in folds)

    def recalls(self) -> list[tuple[str, float]]:
        """Return each label with the share of its sounds that were told right."""
        counts = np.array(self.confusion)
        shares = counts.diagonal() / np.maximum(counts.sum(1), 1)
        return list(zip(self.labels, shares.tolist(), strict=True))


def table_of(found: list[CrossValidation]) -> Table:
    """Return a row for each; all must be of the same folds."""
    first = found[0]
    return Table(
        ("made by", "mean ± spread", "seeds", *(f"{first.column} {fold}" for fold in first.folds)),
        [each.row() for each in found],
    )


def gather(
    evaluations: list[list[Evaluation]],
    folds: list[str],
    seeds: list[int],
    column: str,
    made_by: tuple[str, str | None],
    minutes: float | None,
) -> CrossValidation:
    """Return what the evaluations say together: a row for each seed, a column for each fold.

    made_by: the recipe's name and digest.
    """
    first = evaluations[0]
    return CrossValidation(
        dataset=first[0].dataset,
        recipe=made_by[0],
        recipe_sha256=made_by[1],
        column=column,
        folds=folds,
        seeds=seeds,
        sounds=[evaluation.images for evaluation in first],
        accuracies=[[evaluation.value for evaluation in row] for row in evaluations],
        labels=first[0].labels,
        confusion=np.sum([each.confusion for row in evaluations for each in row], 0).tolist(),
        minutes=minutes,
    )


def read_cross_validation(path: Path) -> CrossValidation:
    """Return what lies in the file, or in the folder that `crossvalidate` filled."""
    file = path / CROSS_VALIDATION_NAME if path.is_dir() else path
    try:
        return CrossValidation.model_validate_json(file.read_bytes())
    except (OSError, ValueError) as error:
        raise SetupError(f"{file}: is no finished cross-validation: {error}") from error


def write_cross_validation(folder: Path, found: CrossValidation) -> Path:
    """Write the file into the folder, which is made if need be; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / CROSS_VALIDATION_NAME
    file.write_text(found.model_dump_json(indent=1) + "\n")
    return file
