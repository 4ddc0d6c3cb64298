"""`convscope predict`."""

import json
from pathlib import Path
from typing import Any

import click

from service.api.classify import classification_out
from service.commands.catalog import catalog_for
from service.commands.options import LOADING, settings_options
from service.commands.pictures import picture_files
from service.contract.errors import ConvscopeError
from service.tasks.catalog import ServedModel


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--model", help="Which model; without it the default one, as for the server.")
@click.option("--version", type=click.IntRange(1), help="Which version; without it the highest.")
@click.option("--top-k", type=click.IntRange(1), default=5, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the server's JSON.")
@settings_options(LOADING)
def predict(
    paths: tuple[Path, ...],
    model: str | None,
    version: int | None,
    top_k: int,
    as_json: bool,
    **flags: Any,
) -> None:
    """Classify pictures, or all pictures in folders, without a server.

    One that cannot be read does not stop the others; the exit code is 1 then.
    """
    catalog = catalog_for(flags)
    try:
        served = catalog.get(model or catalog.default().manifest.name, version)
    except ConvscopeError as error:
        raise click.ClickException(str(error)) from error
    files = picture_files(paths)
    results, failed = [], False
    for file in files:
        outcome = _classify(served, file, top_k)
        failed |= isinstance(outcome, Exception)
        if as_json:
            results.append({"file": str(file), **_as_json(outcome)})
        else:
            click.echo(f"{file}: {_as_text(outcome)}")
    if as_json:
        click.echo(json.dumps({"results": results}, indent=1))
    if failed:
        raise SystemExit(1)


def _classify(model: ServedModel, file: Path, top_k: int) -> dict[str, Any] | Exception:
    try:
        answer = model.classifier.classify(file.read_bytes(), top_k)
    except (ConvscopeError, OSError) as error:
        return error
    return classification_out(model, answer.predictions, answer.timing)


def _as_json(outcome: dict[str, Any] | Exception) -> dict[str, Any]:
    if isinstance(outcome, Exception):
        return {"error": _sentence(outcome)}
    return outcome


def _as_text(outcome: dict[str, Any] | Exception) -> str:
    if isinstance(outcome, Exception):
        return f"failed: {_sentence(outcome)}"
    return ", ".join(f"{p['label']} {p['probability']:.1%}" for p in outcome["predictions"])


def _sentence(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
