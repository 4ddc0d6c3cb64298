"""The curves of a stability as a picture."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from math import ceil

import numpy as np
from PIL import Image

from service.codecs.image import encode_png
from service.tasks.chart import LINES, ODD, Axes, Canvas, round_numbers
from service.tasks.ink import BRIGHT, FAINT, MARGIN_PX, MUTED, font, shorten
from service.tasks.stability.judges import Said
from service.tasks.stability.measure import Curve, Stability
from service.tasks.stability.moves import PictureMoves
from service.tasks.stability.subjects import Moves

_TITLE_PX, _TEXT_PX = 18, 13
_HEADER_PX = 62
_PANEL_PX = (520, 200)
_LEFT_PX, _ABOVE_PX, _AXIS_PX, _FOOT_PX = 46, 46, 22, 20
_GAP_PX = 26
_THUMB_PX = 72
_THUMBS = 5
_LEVELS = [(share / 4, f"{share * 25}%") for share in range(5)]


def render_stability(
    stability: Stability, moves: Moves, labels: tuple[str, ...], title: str
) -> bytes:
    """Return a PNG with a panel a transform; below those of pictures, what the model was shown.

    Masks are shown by the share of pixels that agree, all else by the class's probability.
    """
    groups = [list(curves) for _, curves in groupby(stability.curves, lambda c: c.sweep.transform)]
    thumbs = _THUMB_PX + 8 if isinstance(moves, PictureMoves) else 0
    changes = any(said.agrees is False for curve in stability.curves for said in curve.said)
    foot = _FOOT_PX if changes else 0
    pitch = (
        _LEFT_PX + _PANEL_PX[0] + _GAP_PX,
        _ABOVE_PX + _PANEL_PX[1] + _AXIS_PX + thumbs + foot + _GAP_PX,
    )
    columns = min(2, len(groups))
    width = columns * pitch[0] - _GAP_PX + 2 * MARGIN_PX
    height = _HEADER_PX + ceil(len(groups) / columns) * pitch[1] - _GAP_PX + 2 * MARGIN_PX
    canvas = Canvas(width, height)
    facts = _facts(stability, labels[stability.class_index], moves)
    width -= 2 * MARGIN_PX
    canvas.text((MARGIN_PX, MARGIN_PX), shorten(title, _TITLE_PX, width), BRIGHT, _TITLE_PX)
    facts = shorten(facts, _TEXT_PX, width)
    canvas.text((MARGIN_PX, MARGIN_PX + 26), facts, MUTED, _TEXT_PX)
    for number, curves in enumerate(groups):
        line, column = divmod(number, columns)
        corner = (MARGIN_PX + column * pitch[0], MARGIN_PX + _HEADER_PX + line * pitch[1])
        _draw_panel(canvas, corner, curves, labels, moves)
    return encode_png(np.asarray(canvas.finish()))


def _facts(stability: Stability, label: str, moves: Moves) -> str:
    if isinstance(stability.curves[0].said[0].agrees, float):
        cells = "pixels" if isinstance(moves, PictureMoves) else "frames"
        return f"share of {cells} that keep their class, moved along; {stability.runs} runs"
    at_rest = "" if stability.probability is None else f", {stability.probability:.1%} at rest"
    return f"probability of {label!r}{at_rest}; {stability.runs} runs"


def _draw_panel(
    canvas: Canvas,
    corner: tuple[int, int],
    curves: Sequence[Curve],
    labels: tuple[str, ...],
    moves: Moves,
) -> None:
    left, top = corner[0] + _LEFT_PX, corner[1] + _ABOVE_PX
    sweep = curves[0].sweep
    width, height = _PANEL_PX
    # half a step of room, so that no dot lies on the edge
    room = (sweep.amounts[-1] - sweep.amounts[0]) / len(sweep.amounts) / 2
    ends = (sweep.amounts[0] - room, sweep.amounts[-1] + room)
    axes = Axes(left, top, width, height, ends, (-0.04, 1.04))
    mean = sum(curve.consistency for curve in curves) / len(curves)
    canvas.text((corner[0], corner[1]), f"{sweep.transform}, {sweep.unit}", BRIGHT, 15)
    canvas.text((left + width, corner[1] + 2), f"consistency {mean:.1%}", BRIGHT, 13, "ra")
    axes.draw(canvas, _LEVELS)
    rest = axes.across(sweep.rest)
    canvas.line([(rest, top), (rest, top + height)], FAINT, 1)
    for number, name in round_numbers(*ends, most=9):
        canvas.text((axes.across(number), top + height + 5), name, anchor="ma")
    x = left
    for curve, color in zip(curves, LINES, strict=False):
        _draw_curve(canvas, axes, curve, color)
        if curve.sweep.variant:
            canvas.dot((x + 4, corner[1] + 32), 4, color)
            canvas.text((x + 13, corner[1] + 25), curve.sweep.variant)
            x += 30 + int(font(12).getlength(curve.sweep.variant))
    below = top + height + _AXIS_PX
    if isinstance(moves, PictureMoves):
        _lay_thumbs(canvas, axes, curves[-1], below, moves)
        below += _THUMB_PX + 8
    _tell_others(canvas, (left, below), curves, labels, width)


def _draw_curve(canvas: Canvas, axes: Axes, curve: Curve, color: tuple[int, int, int]) -> None:
    heights = [_height(said) for said in curve.said]
    points = [axes.place(x, y) for x, y in zip(curve.sweep.amounts, heights, strict=True)]
    canvas.line(points, color, 1.5)
    for point, said in zip(points, curve.said, strict=True):
        if said.agrees is False:
            canvas.dot(point, 4.5, ODD, hollow=True)
        else:
            canvas.dot(point, 3, color)


def _height(said: Said) -> float:
    """Return what is shown of an answer, in 0..1."""
    if isinstance(said.agrees, bool):
        return said.probability or 0.0
    return said.agrees


def _lay_thumbs(canvas: Canvas, axes: Axes, curve: Curve, top: float, moves: PictureMoves) -> None:
    """Show some of the moved inputs, each below its amount."""
    amounts = curve.sweep.amounts
    wanted = np.linspace(amounts[0], amounts[-1], _THUMBS)
    shown = {min(amounts, key=lambda amount: abs(amount - middle)) for middle in wanted}
    for amount in sorted(shown):
        pixels = moves.moved(curve.sweep, amount)
        thumb = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]).convert("RGB")
        enlarged = max(thumb.size) < _THUMB_PX
        scale = _THUMB_PX / max(thumb.size)
        size = tuple(max(1, round(side * scale)) for side in thumb.size)
        how = Image.Resampling.NEAREST if enlarged else Image.Resampling.BILINEAR
        thumb = thumb.resize((size[0], size[1]), how)
        left = axes.across(amount) - size[0] / 2
        left = min(max(left, axes.left), axes.left + axes.width - size[0])
        canvas.paste(thumb, (round(left), round(top)))


def _tell_others(
    canvas: Canvas,
    at: tuple[float, float],
    curves: Sequence[Curve],
    labels: tuple[str, ...],
    width: int,
) -> None:
    """Say what the likeliest class became where it is another one."""
    others = Counter(
        labels[said.class_index] for curve in curves for said in curve.said if said.agrees is False
    )
    if others:
        told = ", ".join(f"{label} {count}" for label, count in others.most_common())
        canvas.dot((at[0] + 5, at[1] + 9), 4.5, ODD, hollow=True)
        canvas.text((at[0] + 15, at[1] + 2), shorten(f"likelier: {told}", 12, width - 15))
