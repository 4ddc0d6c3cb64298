"""`convscope layers`."""

import csv
import sys
from typing import Any

import click

from service.api.layers import layers_out
from service.commands.catalog import catalog_for
from service.commands.layer_table import align_table, spell
from service.commands.options import LOADING, settings_options
from service.contract.errors import ConvscopeError

_COLUMNS = (
    "name",
    "op",
    "shape",
    "kernel",
    "stride",
    "padding",
    "dilation",
    "groups",
    "parameters",
    "parameters_share",
    "macs",
    "macs_share",
    "receptive_field",
    "local_receptive_field",
    "jump",
    "start",
    "sees",
)


@click.command()
@click.argument("model")
@click.option("--version", type=click.IntRange(1), help="Which version; without it the highest.")
@click.option("--json", "form", flag_value="json", help="Print the server's JSON.")
@click.option("--csv", "form", flag_value="csv", help="Print comma-separated values.")
@settings_options(LOADING)
def layers(model: str, version: int | None, form: str | None, **flags: Any) -> None:
    """List a model's layers: size, cost and how much of the picture or sound a cell sees."""
    catalog = catalog_for(flags)
    try:
        table = layers_out(catalog.get(model, version))
    except ConvscopeError as error:
        raise click.ClickException(str(error)) from error
    if form == "json":
        click.echo(table.model_dump_json(indent=1))
    elif form == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerow(_COLUMNS)
        writer.writerows([spell(getattr(row, name)) for name in _COLUMNS] for row in table.layers)
    else:
        click.echo(align_table(table))
