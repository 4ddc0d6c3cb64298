"""The offline commands: train, evaluate, export and others."""

import os
import re
from contextlib import nullcontext
from pathlib import Path

import click

from service.contract.errors import ConvscopeError, SetupError
from service.contract.manifest import read_manifest
from training.assemble import assemble as assemble_version
from training.confusion import write_evaluation
from training.crossvalidation import read_cross_validation, table_of, write_cross_validation
from training.data.splits import STROKES
from training.evaluate import Table
from training.export import Evaluations, check_target, export_run, read_evaluations
from training.fit import fit
from training.folds import cross_validate
from training.judges import JUDGES
from training.recipe import HandSetRecipe, InvalidRecipe, Recipe, SoundRecipe, load_recipe
from training.run_folder import RunFolder
from training.shift import ShiftConsistency
from training.tasks import TASKS

_HOLD_OUT = click.option(
    "--hold-out",
    "held_out",
    metavar="COLUMN=VALUE",
    help="Test on these sounds of metadata.csv and not on its own test split, such as fold=0.",
)
_MODELS_DIR = click.option(
    "--models-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("models"),
    show_default=True,
    help="Model repository to write the new version into.",
)


class _Plain(click.Command):
    """A command whose expected errors are one sentence on stderr."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (ConvscopeError, OSError) as error:
            raise click.ClickException(str(error)) from error


@click.command(cls=_Plain)
@click.option("--recipe", "recipe_name", required=True, help="A bundled recipe, or a TOML file.")
@click.option("--data", type=click.Path(), help="Folder or file of the data set.")
@click.option("--name", help="Name of the model; by default the data folder's.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Decides the first weights and the order of the data.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Run folder; by default runs/NAME-RECIPE-seed. A run found there is continued.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Instead of the recipe's number.")
@click.option("--stop-after", type=click.IntRange(min=1), help="Pause after so many epochs.")
@_HOLD_OUT
@_MODELS_DIR
def train(
    recipe_name: str,
    data: str | None,
    name: str | None,
    seed: int,
    out: Path | None,
    epochs: int | None,
    stop_after: int | None,
    held_out: str | None,
    models_dir: Path,
) -> None:
    """Train a net by a recipe, measure it on the test split and export it for serving.

    Interrupted? The same command goes on where the last whole epoch ended.
    """
    recipe, text = _recipe(recipe_name, epochs)
    if isinstance(recipe, HandSetRecipe):
        raise SetupError(f"recipe {recipe.name!r} has nothing to train; use `assemble`")
    if data is None and recipe.data.source == "folder":
        raise click.UsageError(f"recipe {recipe.name!r} needs --data")
    if data is not None and recipe.data.source == STROKES:
        raise click.UsageError(f"recipe {recipe.name!r} draws its own data and takes no --data")
    data = str(Path(data).resolve()) if data else recipe.data.source
    name = name or _model_name(data)
    run = RunFolder(out or Path("runs") / f"{name}-{recipe.name}-{seed}")
    check_target(name, models_dir)
    is_first = int(os.environ.get("RANK", "0")) == 0  # of torchrun's processes
    try:
        with run.lock() if is_first else nullcontext():
            fit(run, text, recipe, data, seed, stop_after, held_out)
    except (KeyboardInterrupt, SystemExit):
        click.echo(f"stopped; the same command goes on after the last whole epoch: {run.path}")
        raise
    if not is_first:
        return
    if not run.done.exists():
        click.echo(f"paused after epoch {stop_after}; the same command goes on: {run.path}")
        return
    if run.evaluation.exists():
        raise SetupError(
            f"{run.path} is finished and exported; use `convscope export` to export it again, "
            "or give another --out to train anew"
        )
    folder = export_run(run, TASKS[recipe.task].open(data, held_out), name, models_dir)
    click.echo(f"run folder: {run.path}")
    _announce(folder, run)


@click.command(cls=_Plain)
@click.argument("versions", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--data", required=True, type=click.Path(), help="Folder or file of the data set.")
@click.option("--split", type=click.Choice(["test", "validation", "train"]), default="test")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write evaluation.json and pictures of the first one here.",
)
@_HOLD_OUT
@click.option("--shifts", is_flag=True, help="Measure too how segmenters stand moved pictures.")
def evaluate(
    versions: tuple[Path, ...],
    data: str,
    split: str,
    out: Path | None,
    held_out: str | None,
    shifts: bool,
) -> None:
    """Measure exported VERSIONS (models/NAME/VERSION) as they are served.

    Pictures and sounds go through the service's preprocessing and ONNX Runtime, in single passes.
    """
    manifests = [read_manifest(folder.resolve()) for folder in versions]
    tasks = {manifest.task for manifest in manifests}
    if unknown := tasks - set(JUDGES):
        raise SetupError(f"models for {unknown.pop()} cannot be measured by this command")
    if len(tasks) > 1:
        raise SetupError(f"these do different things: {' and '.join(sorted(tasks))}")
    judge, dataset = JUDGES[tasks.pop()], TASKS[manifests[0].task].open(data, held_out)
    if split not in dataset.splits:
        raise SetupError(f"{data} has no {split} split of its own")
    pictures = dataset.splits[split]
    evaluations = []
    for folder, manifest in zip(versions, manifests, strict=True):
        if dataset.classes != manifest.labels:
            raise SetupError(f"{folder} has other classes than {data}")
        figures = judge.evaluate(folder, manifest, pictures, dataset.name, split)
        click.echo("\n  ".join([f"{folder}: {figures.sentence()}", *figures.notes()]))
        if shifts:
            _tell_shifts(judge.shifts(folder, manifest, pictures))
        evaluations.append(figures)
    if out:
        write_evaluation(out, evaluations[0])
        judge.draw(versions[0], manifests[0], pictures, out)
    _tell_table(evaluations[0].class_table())


@click.command(cls=_Plain)
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--name", help="Name of the model; by default the data folder's.")
@click.option(
    "--folds",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="A cross-validation of its recipe, and others to stand beside it in the card.",
)
@_MODELS_DIR
def export(
    runs: tuple[Path, ...], name: str | None, folds: tuple[Path, ...], models_dir: Path
) -> None:
    """Export the first of RUNS; the others, its sister seeds, give mean and spread."""
    first, *others = (RunFolder(run) for run in runs)
    facts = first.facts()
    if len({run.facts().seed for run in (first, *others)}) < len(runs):
        raise SetupError("two of the runs have the same seed: mean and spread need different ones")
    sisters = [_evaluations_of_sister(first, other) for other in others]
    dataset = TASKS[first.recipe().task].open(facts.data, facts.held_out)
    beside = [read_cross_validation(path) for path in folds]
    name = name or _model_name(facts.data)
    folder = export_run(first, dataset, name, models_dir, sisters, beside)
    _announce(folder, first)


@click.command(cls=_Plain)
@click.option("--recipe", "recipe_name", required=True, help="A bundled recipe, or a TOML file.")
@click.option("--data", required=True, type=click.Path(), help="Folder of the data set.")
@click.option(
    "--by", "column", default="fold", show_default=True, help="Column of metadata.csv to go by."
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many trainings for each part, with the seeds from 0 on.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of its runs; by default runs/NAME-RECIPE-by-COLUMN. What is done stays done.",
)
def crossvalidate(recipe_name: str, data: str, column: str, seeds: int, out: Path | None) -> None:
    """Train on all of a data set of sounds but one part and measure on that, part by part.

    For each of its --seeds a recipe makes a model for every value of the column --by, such as
    four for four folds; none of them is served. `export --folds` tells the figures in a card.
    """
    recipe, text = load_recipe(recipe_name)
    if not isinstance(recipe, SoundRecipe):
        raise SetupError(f"recipe {recipe.name!r} is for pictures, whose data sets have no columns")
    if recipe.task != "audio-classification":
        raise SetupError(f"recipe {recipe.name!r} measures: cross-validation is for classes")
    data = str(Path(data).resolve())
    folder = out or Path("runs") / f"{_model_name(data)}-{recipe.name}-by-{column}"
    found = cross_validate(recipe, text, data, column, range(seeds), folder, click.echo)
    file = write_cross_validation(folder, found)
    _tell_table(table_of([found]))
    click.echo(f"written: {file}")


@click.command(cls=_Plain)
@click.option(
    "--recipe",
    "recipe_name",
    default="silence",
    show_default=True,
    help="A bundled recipe, or a TOML file.",
)
@click.option("--data", required=True, type=click.Path(), help="Folder of sounds to measure on.")
@click.option("--name", help="Name of the model; by default the recipe's.")
@_MODELS_DIR
def assemble(recipe_name: str, data: str, name: str | None, models_dir: Path) -> None:
    """Write a version of a model whose weights its recipe sets by hand."""
    recipe, text = load_recipe(recipe_name)
    if not isinstance(recipe, HandSetRecipe):
        raise SetupError(f"recipe {recipe.name!r} sets no weights; use `train`")
    folder = assemble_version(recipe, text, data, name or recipe.name, models_dir)
    metric = read_manifest(folder).metrics[0]
    click.echo(f"{folder}: {metric.name} {metric.value:.2%} on {metric.dataset} {metric.split}")


def _recipe(name: str, epochs: int | None) -> tuple[Recipe, str]:
    recipe, text = load_recipe(name)
    if epochs is None:
        return recipe, text
    # the run folder keeps the text, so the change is made there, where a reader will see it
    text, changes = re.subn(r"(?m)^epochs\s*=.*$", f"epochs = {epochs}  # from --epochs", text)
    if changes != 1:
        raise InvalidRecipe(f"recipe {name!r} has no single line 'epochs = ...' to replace")
    training = recipe.training.model_copy(update={"epochs": epochs})
    return recipe.model_copy(update={"training": training}), text


def _model_name(data: str) -> str:
    name = re.sub(r"[^a-z0-9._-]+", "-", Path(data).name.removesuffix(".npz").lower())
    return name.strip("-._") or "model"


def _evaluations_of_sister(first: RunFolder, other: RunFolder) -> Evaluations:
    same_data = other.facts().data_digest == first.facts().data_digest
    if other.recipe() != first.recipe() or not same_data:
        raise SetupError(f"{other.path} has another recipe or other pictures than {first.path}")
    try:
        return read_evaluations(other)
    except OSError as error:
        raise SetupError(f"{other.path} was not evaluated: its training did not end") from error


def _announce(folder: Path, run: RunFolder) -> None:
    for figures in read_evaluations(run).values():
        click.echo(f"{folder}: {figures.sentence()}")
    if folder.parent.parent != Path("models"):
        click.echo(f"serve it: convscope serve --models-dir {folder.parent.parent}")
    else:
        click.echo("serve it: convscope serve")


def _tell_shifts(shift: ShiftConsistency | None) -> None:
    if shift is None:
        raise SetupError("--shifts is for segmenters that take any size, and pictures over 100 px")
    click.echo(f"  {shift.sentence()}")
    for way, curve in (("right", shift.horizontal), ("down", shift.vertical)):
        shown = " ".join(f"{share:.4f}" for share in curve)
        click.echo(f"  moved {way} by 0 to {len(curve) - 1} px: {shown}")


def _tell_table(table: Table) -> None:
    head, rows = table
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for label, *cells in (head, *rows):
        shown = "  ".join(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        click.echo(f"  {label:<{widths[0]}}  {shown}")
