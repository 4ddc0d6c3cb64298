"""`convscope check`."""

from pathlib import Path
from typing import Any

import click

from service.commands.options import PLACING, read_settings, settings_options
from service.contract.errors import SetupError
from service.repository import load_repository
from service.wiring import placement_of


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@settings_options(("models_dir", *PLACING))
def check(folder: Path | None, **flags: Any) -> None:
    """Verify every model of a folder; the exit code is 1 if one would be refused.

    FOLDER is another way to say --models-dir.
    """
    settings = read_settings(flags if folder is None else {**flags, "models_dir": folder})
    try:
        repository = load_repository(settings.models_dir, placement_of(settings))
    except SetupError as error:
        raise click.ClickException(str(error)) from error
    for model in repository.models:
        click.echo(
            f"OK       {model.manifest.name}/{model.manifest.version}: golden outputs within "
            f"{model.golden_difference:.2g} on {model.session.execution_provider}"
        )
    for refusal in repository.refusals:
        click.echo(f"REFUSED  {refusal.file}: {refusal.reason}")
    if repository.refusals:
        raise SystemExit(1)
