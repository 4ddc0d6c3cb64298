"""Trains one recipe on every part of a data set but one, each part held out in turn."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from training.crossvalidation import CrossValidation, gather
from training.data.sound_splits import values_of
from training.evaluate import Evaluation
from training.export import export_run, read_evaluations
from training.fit import fit
from training.progress import read_minutes
from training.recipe import Recipe
from training.run_folder import RunFolder
from training.tasks import TASKS


def cross_validate(
    recipe: Recipe,
    text: str,
    data: str,
    column: str,
    seeds: Sequence[int],
    folder: Path,
    tell: Callable[[str], None],
) -> CrossValidation:
    """Train and measure a model for each value of the column and each seed.

    folder: holds a run folder for each of them, with the model that was measured; what lies
        there finished is not done again.
    tell: hears a sentence after each of them.
    Raises: SetupError if the data has no such column, or anything that `fit` raises.
    """
    folds, minutes = values_of(data, column), 0.0
    rows: list[list[Evaluation]] = []
    for seed in seeds:
        rows.append([])
        for fold in folds:
            run = RunFolder(folder / f"{column}-{fold}-seed-{seed}")
            rows[-1].append(_measured(run, recipe, text, data, seed, f"{column}={fold}"))
            minutes += read_minutes(run.metrics) or 0
            tell(f"{column} {fold}, seed {seed}: {rows[-1][-1].sentence()}")
    digest = hashlib.sha256(text.encode()).hexdigest()
    return gather(rows, folds, list(seeds), column, (recipe.name, digest), minutes)


def _measured(
    run: RunFolder, recipe: Recipe, text: str, data: str, seed: int, held_out: str
) -> Evaluation:
    with run.lock():
        fit(run, text, recipe, data, seed, None, held_out)
        if not run.evaluation.exists():
            # in the run folder, not where models are served from: it is one of many
            dataset = TASKS[recipe.task].open(data, held_out)
            export_run(run, dataset, recipe.name, run.path / "models")
    return read_evaluations(run)["test"]
