"""The catalog for commands that answer without a server."""

from typing import Any

import click

from service.commands.options import read_settings
from service.contract.errors import SetupError
from service.runners import Runners
from service.tasks.catalog import Catalog
from service.wiring import open_live, runners_of


def catalog_for(flags: dict[str, Any], only: str | None = None) -> Catalog:
    """Return the catalog that the flags and the environment describe.

    only: the one model that is asked for; no other is loaded.
    Raises: click.ClickException if the operator has to act.
    """
    settings = read_settings(flags)
    try:
        return open_live(settings, Runners(runners_of(settings)), only).catalog
    except SetupError as error:
        raise click.ClickException(str(error)) from error
