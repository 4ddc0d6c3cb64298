"""The layer table for a terminal of 120 columns."""

from typing import Any

from service.api.schemas import LayerOut, LayersOut

_WIDTH = 120
_GAP = "  "
_LEFT_OUT = "…"
_WORDS = (
    "window",
    "shape",
    "parameters",
    "MACs",
    "of all",
    "field",
    "local",
    "jump",
    "sees",
)
_NUMBERS = {"parameters", "MACs", "of all", "sees"}


def align_table(table: LayersOut) -> str:
    """Return the table as lines of at most 120 characters; what names must lose is their middle."""
    rows = [_row(layer) for layer in table.layers]
    words = [word for word in _WORDS if word != "local" or _some_see_everything(table)]
    widths = {word: max(len(word), *(len(row[word]) for row in rows)) for word in words}
    room = _WIDTH - sum(width + len(_GAP) for width in widths.values())
    names = [_shorten(row["layer"], room) for row in rows]
    longest = max(map(len, ["layer", *names]))
    lines = [_line("layer".ljust(longest), {word: word for word in words}, widths)]
    lines += [
        _line(name.ljust(longest), row, widths) for name, row in zip(names, rows, strict=True)
    ]
    return "\n".join([*lines, *_below(table)])


def _line(name: str, row: dict[str, str], widths: dict[str, int]) -> str:
    cells = [
        row[word].rjust(width) if word in _NUMBERS else row[word].ljust(width)
        for word, width in widths.items()
    ]
    return _GAP.join([name, *cells]).rstrip()


def _row(layer: LayerOut) -> dict[str, str]:
    named = layer.name.rpartition("/")[2].partition(":")[0] == layer.op
    return {
        "layer": layer.name if named else f"{layer.name} ({layer.op})",
        "window": _window(layer),
        "shape": spell(layer.shape),
        "parameters": f"{layer.parameters:,}" if layer.parameters else "",
        "MACs": _rounded(layer.macs),
        "of all": f"{layer.macs_share:.1%}" if layer.macs_share else "",
        "field": spell(layer.receptive_field),
        "local": spell(layer.local_receptive_field),
        "jump": spell(layer.jump),
        "sees": "" if layer.sees is None else f"{layer.sees:.1%}",
    }


def _window(layer: LayerOut) -> str:
    """Return kernel, /stride, +padding, *dilation and groups, as far as they are out of the way."""
    if layer.kernel is None:
        return ""
    parts = [spell(layer.kernel)]
    for sign, numbers, usual in (
        ("/", layer.stride, 1),
        ("+", layer.padding, 0),
        ("*", layer.dilation, 1),
    ):
        if numbers and set(numbers) != {usual}:
            parts.append(sign + (str(numbers[0]) if len(set(numbers)) == 1 else spell(numbers)))
    if layer.groups and layer.groups > 1:
        parts.append(f"in {layer.groups}")
    return " ".join(parts)


def spell(value: Any) -> str:
    """Return numbers as 3x5x5, with ? for an unknown one, and nothing for None."""
    if isinstance(value, tuple):
        return "x".join("?" if size is None else f"{size:g}" for size in value)
    return "" if value is None else str(value)


def _rounded(macs: int | None) -> str:
    """Return a cost in three digits or so, and nothing for none.

    >>> _rounded(106_168_320), _rounded(486)
    ('106.2M', '486')
    """
    if macs is None:
        return "?"
    for unit, sign in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if macs >= unit:
            return f"{macs / unit:.1f}{sign}"
    return str(macs or "")


def _shorten(name: str, room: int) -> str:
    """Return the name, its middle left out as far as is needed."""
    if len(name) <= room:
        return name
    front = (room - 1) // 2
    return f"{name[:front]}{_LEFT_OUT}{name[len(name) - (room - 1 - front) :]}"


def _below(table: LayersOut) -> list[str]:
    macs = "unknown" if table.totals.macs is None else f"{table.totals.macs:,}"
    lines = [
        f"{table.totals.parameters:,} parameters, {macs} multiply-accumulates (MACs)",
        "window: kernel /stride +padding *dilation in groups; of all: share of the MACs",
        "field: the receptive field; sees: its share of the input",
    ]
    if table.sample_rate_hz is not None:
        lines.append(
            "field and jump are in bands of the spectrogram x samples, "
            f"{table.sample_rate_hz:,} a second"
        )
    return lines


def _some_see_everything(table: LayersOut) -> bool:
    return any(row.receptive_field != row.local_receptive_field for row in table.layers)
