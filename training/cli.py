"""The offline commands: train, evaluate, export."""

import os
import re
from contextlib import nullcontext
from pathlib import Path

import click

from service.contract.errors import ConvscopeError, SetupError
from service.contract.manifest import read_manifest
from training.confusion import write_evaluation
from training.data.splits import STROKES, open_dataset
from training.evaluate import Evaluation, evaluate_model
from training.export import check_target, export_run
from training.fit import fit
from training.recipe import InvalidRecipe, Recipe, load_recipe
from training.run_folder import RunFolder

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
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Run folder; by default runs/NAME-RECIPE-seed. A run found there is continued.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Instead of the recipe's number.")
@click.option("--stop-after", type=click.IntRange(min=1), help="Pause after so many epochs.")
@_MODELS_DIR
def train(
    recipe_name: str,
    data: str | None,
    name: str | None,
    seed: int,
    out: Path | None,
    epochs: int | None,
    stop_after: int | None,
    models_dir: Path,
) -> None:
    """Train a net by a recipe, measure it on the test split and export it for serving.

    Interrupted? The same command goes on where the last whole epoch ended.
    """
    recipe, text = _recipe(recipe_name, epochs)
    if data is None and recipe.data.source == "folder":
        raise click.UsageError(f"recipe {recipe.name!r} needs --data")
    if data is not None and recipe.data.source != "folder":
        raise click.UsageError(f"recipe {recipe.name!r} draws its own data and takes no --data")
    data = str(Path(data).resolve()) if data else STROKES
    name = name or _model_name(data)
    run = RunFolder(out or Path("runs") / f"{name}-{recipe.name}-{seed}")
    check_target(name, models_dir)
    is_first = int(os.environ.get("RANK", "0")) == 0  # of torchrun's processes
    try:
        with run.lock() if is_first else nullcontext():
            fit(run, text, recipe, data, seed, stop_after)
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
    folder = export_run(run, open_dataset(data), name, models_dir)
    click.echo(f"run folder: {run.path}")
    _announce(folder, run)


@click.command(cls=_Plain)
@click.argument("versions", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--data", required=True, type=click.Path(), help="Folder or file of the data set.")
@click.option("--split", type=click.Choice(["test", "validation", "train"]), default="test")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write evaluation.json and confusion.png of the first one here.",
)
def evaluate(versions: tuple[Path, ...], data: str, split: str, out: Path | None) -> None:
    """Measure exported VERSIONS (models/NAME/VERSION) as they are served.

    The pictures go through the service's preprocessing and ONNX Runtime, in single passes.
    """
    dataset = open_dataset(data)
    if split not in dataset.splits:
        raise SetupError(f"{data} has no {split} split of its own")
    evaluations = []
    for folder in versions:
        manifest = read_manifest(folder.resolve())
        if dataset.classes != manifest.labels:
            raise SetupError(f"{folder} has other classes than {data}")
        pictures = dataset.splits[split]
        evaluations.append(evaluate_model(folder, manifest, pictures, dataset.name, split))
        click.echo(f"{folder}: {_figures(evaluations[-1])}")
    if out:
        out.mkdir(parents=True, exist_ok=True)
        write_evaluation(out, evaluations[0])
    _table_of_classes(evaluations[0])


@click.command(cls=_Plain)
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--name", help="Name of the model; by default the data folder's.")
@_MODELS_DIR
def export(runs: tuple[Path, ...], name: str | None, models_dir: Path) -> None:
    """Export the first of RUNS; the others, its sister seeds, give mean and spread."""
    first, *others = (RunFolder(run) for run in runs)
    facts = first.facts()
    if len({run.facts().seed for run in (first, *others)}) < len(runs):
        raise SetupError("two of the runs have the same seed: mean and spread need different ones")
    sisters = [_evaluation_of_sister(first, other) for other in others]
    dataset = open_dataset(facts.data)
    folder = export_run(first, dataset, name or _model_name(facts.data), models_dir, sisters)
    _announce(folder, first)


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


def _evaluation_of_sister(first: RunFolder, other: RunFolder) -> Evaluation:
    same_data = other.facts().data_digest == first.facts().data_digest
    if other.recipe() != first.recipe() or not same_data:
        raise SetupError(f"{other.path} has another recipe or other pictures than {first.path}")
    try:
        return Evaluation.model_validate_json(other.evaluation.read_bytes())
    except OSError as error:
        raise SetupError(f"{other.path} was not evaluated: its training did not end") from error


def _announce(folder: Path, run: RunFolder) -> None:
    evaluation = Evaluation.model_validate_json(run.evaluation.read_bytes())
    click.echo(f"{folder}: {_figures(evaluation)}")
    if folder.parent.parent != Path("models"):
        click.echo(f"serve it: convscope serve --models-dir {folder.parent.parent}")
    else:
        click.echo("serve it: convscope serve")


def _figures(evaluation: Evaluation) -> str:
    low, high = evaluation.interval
    return (
        f"accuracy {evaluation.accuracy:.2%} (95 % interval {low:.2%} to {high:.2%}) "
        f"on {evaluation.images} pictures of {evaluation.dataset} {evaluation.split}"
    )


def _table_of_classes(evaluation: Evaluation) -> None:
    width = max(len(figures.label) for figures in evaluation.classes)
    for figures in evaluation.classes:
        precision = "    -" if figures.precision is None else f"{figures.precision:6.2%}"
        click.echo(
            f"  {figures.label:<{width}}  recall {figures.recall:7.2%}  precision {precision}"
            f"  ({figures.images})"
        )
