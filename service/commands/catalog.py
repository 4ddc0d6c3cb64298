"""The catalog for commands that answer without a server."""

from typing import Any

import click

from service.commands.options import read_settings
from service.contract.errors import SetupError
from service.settings import Settings
from service.tasks.catalog import Catalog
from service.wiring import open_catalog


def catalog_for(flags: dict[str, Any]) -> tuple[Catalog, Settings]:
    """Return the catalog that the flags and the environment describe.

    Raises: click.ClickException if the operator has to act.
    """
    settings = read_settings(flags)
    try:
        return open_catalog(settings), settings
    except SetupError as error:
        raise click.ClickException(str(error)) from error
