"""`convscope predict`."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from service.api.by_content import CLASSIFY
from service.api.classify import classification_out
from service.api.segment_query import SegmentQuery
from service.commands.catalog import catalog_for
from service.commands.inputs import holds_sound, input_files
from service.commands.into import Asked, Into, out_options, sweep_into
from service.commands.masks import segment_file
from service.commands.options import LOADING, settings_options
from service.commands.sounds import classify_sound, measure_sound, segment_sound
from service.commands.told import Told, classes_as_text
from service.contract.errors import ConvscopeError, InvalidParameter
from service.tasks.catalog import Catalog, ServedModel
from service.tasks.segment import Resolution

Answer = Callable[[Path], Told]


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, readable=False))
@click.option("--model", help="Which model; without it the default one, as for the server.")
@click.option("--version", type=click.IntRange(1), help="Which version; without it the highest.")
@click.option(
    "--top-k",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="How many classes to tell.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the server's JSON.")
@click.option(
    "--save",
    type=click.Path(path_type=Path, file_okay=False),
    help="Of a segmenter of pictures: write masks and overlays into this folder.",
)
@click.option("--min-area", type=click.IntRange(0), default=0, help="Of a segmenter, as over HTTP.")
@click.option("--tile", default="auto", help="Of a segmenter, as over HTTP: auto, off or pixels.")
@click.option(
    "--resolution",
    type=click.Choice(["model", "original"]),
    default="model",
    help="Of a segmenter of pictures, as over HTTP.",
)
@click.option("--min-seconds", type=click.FloatRange(0), default=0.0, help="The same, of sounds.")
@out_options
@settings_options((*LOADING, "max_batch_size"))
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
    min_seconds: float,
    into: Into,
    **flags: Any,
) -> None:
    """Classify, segment or measure pictures or sounds, or whole folders, without a server.

    One that cannot be read does not stop the others; the exit code is 1 then.

    With --out the answers to any number of files go into one, which ends in .jsonl, .csv or
    .parquet. The same command goes on where it was stopped. The exit code is then

    \b
    0    if every file was answered
    1    if some could not be: their records tell why
    2    if it could not begin: wrong usage, other options than before
    3    if there were no files
    4    if it had to stop before the end: the disk is full
    130  after Ctrl-C, and 143 after SIGTERM
    """
    query = _query(
        version=version,
        min_area=min_area,
        tile=tile,
        resolution=resolution,
        min_seconds=min_seconds,
    )
    if into.out:
        if as_json:
            raise click.UsageError("--json prints; --out results.jsonl writes JSON.")
        sweep_into(into.out, paths, into, Asked(model, version, top_k, query, save), flags)
    into.check_unused()
    if not paths:
        raise click.UsageError("Missing argument 'PATHS...'.")
    catalog = catalog_for(flags, only=model)
    try:
        named = catalog.get(model, version) if model else None
        files = input_files(paths, _kinds(named, catalog), into.recursive)
        served = [named or _by_content(file, catalog, version) for file in files]
        answers = {id(one): _answer_of(one, top_k, query, save) for one in served}
    except ConvscopeError as error:
        raise click.ClickException(str(error)) from error
    work = [
        (file, partial(answers[id(one)], file)) for file, one in zip(files, served, strict=True)
    ]
    _answer_all(work, as_json)


def _query(**asked: Any) -> SegmentQuery:
    try:
        return SegmentQuery.model_validate(asked)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        told = ", or: ".join(found["msg"] for found in error.errors())
        flag = f"--{name.replace('_', '-')}={asked[name]}"
        raise click.UsageError(f"{flag}: {told}") from error


def _kinds(named: ServedModel | None, catalog: Catalog) -> list[str]:
    """Return what folders are searched for."""
    if named:
        return ["sounds" if named.listens else "pictures"]
    offered = CLASSIFY.offered(catalog)
    return [kind for kind, task in CLASSIFY._asdict().items() if task in offered]


def _by_content(file: Path, catalog: Catalog, version: int | None) -> ServedModel:
    default = catalog.default(CLASSIFY.task_for(holds_sound(file), catalog))
    return catalog.get(default.manifest.name, version)


def _answer_of(model: ServedModel, top_k: int, query: SegmentQuery, save: Path | None) -> Answer:
    """Return what makes the answer to a file; what does not fit the model is told at once."""
    segments = model.verb == "segment"
    if save and (model.listens or not segments):
        raise click.UsageError("--save is for segmenters of pictures: all else is printed.")
    if model.verb == "measure":
        return partial(measure_sound, model)
    if not segments:
        classify = classify_sound if model.listens else _classify
        return partial(classify, model, top_k=top_k)
    try:
        query.check_kind(sounds=model.listens)
    except InvalidParameter as error:
        raise click.UsageError(str(error)) from error
    if model.listens:
        return partial(segment_sound, model, min_seconds=query.min_seconds)
    return partial(segment_file, model, query=query, save=save)


def _answer_all(work: Sequence[tuple[Path, Callable[[], Told]]], as_json: bool) -> None:
    results, failed = [], False
    for file, answer in work:
        try:
            told = answer()
        except (ConvscopeError, OSError) as error:
            reason, failed = _sentence(error), True
            told = Told({"error": reason}, f"failed: {reason}")
        if as_json:
            results.append({"file": str(file), **told.json})
        else:
            click.echo(f"{file}: {told.text}")
    if as_json:
        click.echo(json.dumps({"results": results}, indent=1))
    if failed:
        raise SystemExit(1)


def _classify(model: ServedModel, file: Path, top_k: int) -> Told:
    found = model.classifying().task.classify(file.read_bytes(), top_k)
    answer = classification_out(model, found.predictions, found.timing)
    return Told(answer, classes_as_text(answer))


def _sentence(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
