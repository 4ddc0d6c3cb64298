"""`convscope compare`."""

import json
from pathlib import Path
from threading import Event
from typing import Any

import click

from service.api.compare import comparison_out
from service.commands.catalog import catalog_for
from service.commands.options import LOADING, settings_options
from service.contract.errors import ConvscopeError
from service.tasks.compare.measure import ComparedLayer, Comparison, compare, two_models
from service.tasks.compare.picture import answers_as_text, render_comparison

_COLUMNS = ("layer", "shape", "max", "mean", "relative", "cosine")
_NAMED = 3  # layers that are not compared


@click.command("compare")
@click.argument("models", nargs=2)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--start-s", type=click.FloatRange(0), default=0.0, help="Of a sound, as over HTTP.")
@click.option("--json", "as_json", is_flag=True, help="Print the server's JSON.")
@click.option("--save", type=click.Path(path_type=Path, dir_okay=False), help="Write the picture.")
@settings_options(LOADING)
def compare_models(
    models: tuple[str, str],
    file: Path,
    start_s: float,
    as_json: bool,
    save: Path | None,
    **flags: Any,
) -> None:
    """Compare what two models, NAME or NAME@VERSION each, make of a file, layer by layer."""
    catalog = catalog_for(flags)
    try:
        found = compare(two_models(catalog, models), file.read_bytes(), start_s, Event())
        if save:
            save.write_bytes(render_comparison(found))
    except (ConvscopeError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(comparison_out(found), indent=1) if as_json else _table(found))


def _table(found: Comparison) -> str:
    rows = [list(_COLUMNS), *(_row(layer) for layer in found.layers)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if number < 2 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([_verdict(found), *lines, *_unmatched(found)])


def _unmatched(found: Comparison) -> list[str]:
    """Return a line a reason, with the first names that it holds for."""
    reasons: dict[str, list[str]] = {}
    for layer in found.unmatched:
        reasons.setdefault(layer.reason, []).append(layer.layer or layer.other_layer or "")
    return [
        f"{len(names)} not compared, {reason}: {', '.join(names[:_NAMED])}"
        f"{', ...' if len(names) > _NAMED else ''}"
        for reason, names in reasons.items()
    ]


def _verdict(found: Comparison) -> str:
    apart = found.agreement.max_probability_difference
    told = answers_as_text(found)
    return told if apart is None else f"{told}; probabilities differ by up to {apart:.3g}"


def _row(layer: ComparedLayer) -> list[str]:
    same = layer.layer == layer.other_layer
    name = layer.layer if same else f"{layer.layer} = {layer.other_layer}"
    figures = ("-" if value is None else f"{value:.3g}" for value in layer.difference[:3])
    cosine = layer.difference.cosine
    told = "-" if cosine is None else f"{cosine:.6f}"
    return [name, "x".join(map(str, layer.shape)), *figures, told]
