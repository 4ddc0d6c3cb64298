"""`convscope predict`."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from service.api.classify import TASK, classification_out
from service.api.segment import TASK as SEGMENTATION
from service.api.segment_query import SegmentQuery
from service.commands.catalog import catalog_for
from service.commands.masks import mask_as_text, segment_file
from service.commands.options import LOADING, settings_options
from service.commands.pictures import picture_files
from service.contract.errors import ConvscopeError
from service.tasks.catalog import ServedModel
from service.tasks.segment import Resolution

Answer = Callable[..., dict[str, Any]]


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--model", help="Which model; without it the default one, as for the server.")
@click.option("--version", type=click.IntRange(1), help="Which version; without it the highest.")
@click.option("--top-k", type=click.IntRange(1), default=5, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the server's JSON.")
@click.option(
    "--save",
    type=click.Path(path_type=Path, file_okay=False),
    help="Of a segmenter: write masks and overlays into this folder.",
)
@click.option("--min-area", type=click.IntRange(0), default=0, help="Of a segmenter, as over HTTP.")
@click.option("--tile", default="auto", help="Of a segmenter, as over HTTP: auto, off or pixels.")
@click.option("--resolution", type=click.Choice(["model", "original"]), default="model")
@settings_options(LOADING)
def predict(
    paths: tuple[Path, ...],
    model: str | None,
    version: int | None,
    top_k: int,
    as_json: bool,
    save: Path | None,
    min_area: int,
    tile: str,
    resolution: Resolution,
    **flags: Any,
) -> None:
    """Classify or segment pictures, or all pictures in folders, without a server.

    One that cannot be read does not stop the others; the exit code is 1 then.
    """
    try:
        query = SegmentQuery.model_validate(
            {"version": version, "min_area": min_area, "tile": tile, "resolution": resolution}
        )
    except ValidationError as error:
        told = ", or: ".join(found["msg"] for found in error.errors())
        raise click.UsageError(f"--tile={tile}: {told}") from error
    catalog = catalog_for(flags)
    try:
        served = catalog.get(model or catalog.default(TASK).manifest.name, version)
    except ConvscopeError as error:
        raise click.ClickException(str(error)) from error
    segments = served.manifest.task == SEGMENTATION
    if save and not segments:
        raise click.UsageError("--save is for segmenters: classes are printed.")
    answer: Answer = (
        partial(segment_file, served, query=query, save=save)
        if segments
        else partial(_classify, served, top_k=top_k)
    )
    _answer_all(picture_files(paths), answer, mask_as_text if segments else _classes, as_json)


def _answer_all(
    files: Sequence[Path], answer: Answer, spell: Callable[[dict[str, Any]], str], as_json: bool
) -> None:
    results, failed = [], False
    for file in files:
        try:
            outcome = answer(file=file)
            told = spell(outcome)
        except (ConvscopeError, OSError) as error:
            outcome, failed = {"error": _sentence(error)}, True
            told = f"failed: {_sentence(error)}"
        if as_json:
            results.append({"file": str(file), **outcome})
        else:
            click.echo(f"{file}: {told}")
    if as_json:
        click.echo(json.dumps({"results": results}, indent=1))
    if failed:
        raise SystemExit(1)


def _classify(model: ServedModel, file: Path, top_k: int) -> dict[str, Any]:
    answer = model.classifying().task.classify(file.read_bytes(), top_k)
    return classification_out(model, answer.predictions, answer.timing)


def _classes(answer: dict[str, Any]) -> str:
    return ", ".join(f"{p['label']} {p['probability']:.1%}" for p in answer["predictions"])


def _sentence(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
