"""How far apart two models are along their depth, as a picture."""

from collections.abc import Sequence
from math import ceil, floor, log10

import numpy as np

from service.codecs.image import encode_png
from service.tasks.chart import LINES, ODD, Axes, Canvas
from service.tasks.compare.measure import ComparedLayer, Comparison
from service.tasks.ink import BRIGHT, FAINT, MARGIN_PX, MUTED, font, shorten

_TITLE_PX, _TEXT_PX = 18, 13
_HEADER_PX, _LEFT_PX, _BELOW_PX = 104, 58, 44
_PANEL_PX = (900, 300)
# A relative difference of float32 that is smaller than this is rounding.
_LEAST_POWER = -8
_WEIGHTED = {"Conv", "ConvTranspose", "Gemm", "MatMul", "ConvInteger", "MatMulInteger"}
_NAMED = 3
_NUMBERED = 20
_APART_PX = 130


def render_comparison(comparison: Comparison) -> bytes:
    """Return a PNG of the relative difference of each layer, first to last, on a log scale.

    Layers that are equal lie on the lowest line.
    """
    width = _LEFT_PX + _PANEL_PX[0] + 2 * MARGIN_PX
    height = _HEADER_PX + _PANEL_PX[1] + _BELOW_PX + 2 * MARGIN_PX
    canvas = Canvas(width, height)
    _write_header(canvas, comparison, width - 2 * MARGIN_PX)
    layers = [layer for layer in comparison.layers if layer.difference.relative is not None]
    powers = _powers([layer.difference.relative or 0.0 for layer in layers])
    axes = Axes(
        MARGIN_PX + _LEFT_PX,
        MARGIN_PX + _HEADER_PX,
        *_PANEL_PX,
        (-0.5, max(len(layers), 1) - 0.5),
        (powers[0] - 0.15, powers[-1] + 0.15),
    )
    named = [(float(power), f"{100 * 10.0**power:g}%") for power in powers]
    axes.draw(canvas, [(float(powers[0]), "0"), *named[1:]])
    below = axes.top + axes.height
    for number in range(0, len(layers), ceil(len(layers) / _NUMBERED) or 1):
        canvas.text((axes.across(number), below + 5), str(number), anchor="ma")
    canvas.text((axes.left, below + 24), "layers in the order of the first model")
    _draw_layers(canvas, axes, layers, powers[0])
    return encode_png(np.asarray(canvas.finish()))


def _powers(relatives: Sequence[float]) -> range:
    """Return the powers of ten that the differences lie between; the lowest stands for none."""
    positive = [value for value in relatives if value]
    low = floor(log10(min(positive))) if positive else _LEAST_POWER
    high = ceil(log10(max(positive))) if positive else 0
    return range(max(_LEAST_POWER, low) - 1, max(high, _LEAST_POWER + 1) + 1)


def _draw_layers(
    canvas: Canvas, axes: Axes, layers: Sequence[ComparedLayer], lowest: float
) -> None:
    points = []
    for number, layer in enumerate(layers):
        relative = layer.difference.relative
        height = max(log10(relative), lowest) if relative else lowest
        points.append(axes.place(number, height))
    if len(points) > 1:
        canvas.line(points, FAINT, 1.5)
    for point, layer in zip(points, layers, strict=True):
        canvas.dot(point, 3.5, LINES[0] if layer.op in _WEIGHTED else MUTED)
    _name_largest(canvas, axes, points, layers)


def _name_largest(
    canvas: Canvas,
    axes: Axes,
    points: Sequence[tuple[float, float]],
    layers: Sequence[ComparedLayer],
) -> None:
    """Write the names of those that differ most, as far as there is room."""
    order = sorted(range(len(layers)), key=lambda i: -(layers[i].difference.relative or 0.0))
    placed: list[float] = []
    for number in order:
        x, y = points[number]
        if len(placed) == _NAMED or not layers[number].difference.relative:
            return
        if any(abs(x - there) < _APART_PX for there in placed):
            continue
        placed.append(x)
        text = shorten(layers[number].layer, 12, 2 * _APART_PX)
        half = font(12).getlength(text) / 2
        middle = min(max(x, axes.left + half + 4), axes.left + axes.width - half - 4)
        canvas.dot((x, y), 5.5, ODD, hollow=True)
        canvas.text((middle, y - 9), text, BRIGHT, 12, "md")


def _write_header(canvas: Canvas, comparison: Comparison, width: int) -> None:
    title = " against ".join(
        f"{model.manifest.name}/{model.manifest.version}" for model in comparison.models
    )
    canvas.text((MARGIN_PX, MARGIN_PX), shorten(title, _TITLE_PX, width), BRIGHT, _TITLE_PX)
    for line, text in enumerate(_facts(comparison)):
        at = (MARGIN_PX, MARGIN_PX + 26 + 19 * line)
        canvas.text(at, shorten(text, _TEXT_PX, width), MUTED, _TEXT_PX)
    y = MARGIN_PX + 26 + 19 * 3
    for x, color, text in ((4, LINES[0], "layers with weights"), (150, MUTED, "others")):
        canvas.dot((MARGIN_PX + _LEFT_PX + x, y + 7), 3.5, color)
        canvas.text((MARGIN_PX + _LEFT_PX + x + 9, y), text)


def _facts(comparison: Comparison) -> list[str]:
    told, apart = answers_as_text(comparison), comparison.agreement.max_probability_difference
    if apart is not None:
        told += f"; probabilities differ by up to {apart:.2g}"
    missing = len(comparison.unmatched)
    layers = f"{len(comparison.layers)} layers match"
    if missing:
        layers += f", {missing} do not"
    return [told, f"{layers}; relative difference: |first - second| / |first|"]


def answers_as_text(comparison: Comparison) -> str:
    """Return what both say in a line."""
    agreement = comparison.agreement
    if agreement.agreement is not None:
        return f"{agreement.agreement:.2%} have the same class"
    said = [answer.predictions(1)[0] for answer in comparison.answers]
    verdict = "they agree" if agreement.agree else "they disagree"
    return f"{' | '.join(f'{p.label} {p.probability:.1%}' for p in said)}: {verdict}"
