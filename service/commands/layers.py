"""`convscope layers`."""

import csv
import sys
from collections.abc import Sequence
from typing import Any

import click

from service.api.layers import layers_out
from service.api.schemas import LayersOut
from service.commands.catalog import catalog_for
from service.commands.options import LOADING, settings_options
from service.contract.errors import ConvscopeError

_COLUMNS = (
    "name",
    "op",
    "shape",
    "kernel",
    "stride",
    "padding",
    "parameters",
    "macs",
    "receptive_field",
    "local_receptive_field",
    "jump",
)
_NUMBERS = {"parameters", "macs"}
_LOCAL = "local_receptive_field"


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
        writer.writerows(_rows(table))
    else:
        click.echo(_aligned(table))


def _rows(table: LayersOut, columns: Sequence[str] = _COLUMNS) -> list[list[str]]:
    return [[_cell(getattr(layer, name)) for name in columns] for layer in table.layers]


def _cell(value: Any) -> str:
    if isinstance(value, tuple):
        return "x".join("?" if size is None else f"{size:g}" for size in value)
    return "" if value is None else str(value)


def _aligned(table: LayersOut) -> str:
    columns = [name for name in _COLUMNS if name != _LOCAL or _some_see_everything(table)]
    rows = [[name.replace("_", " ") for name in columns], *_rows(table, columns)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if name in _NUMBERS else cell.ljust(width)
            for name, cell, width in zip(columns, row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    macs = "unknown" if table.totals.macs is None else f"{table.totals.macs:,}"
    total = f"{table.totals.parameters:,} parameters, {macs} multiply-accumulates"
    return "\n".join([*lines, total, *_units(table)])


def _units(table: LayersOut) -> list[str]:
    if table.sample_rate_hz is None:
        return []
    return [
        "receptive field and jump are in bands of the spectrogram x samples, "
        f"{table.sample_rate_hz:,} a second"
    ]


def _some_see_everything(table: LayersOut) -> bool:
    return any(row.receptive_field != row.local_receptive_field for row in table.layers)
