"""An explanation over the picture that it is for, at the picture's own size."""

import textwrap
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from service.contract.preprocess import Pixels
from service.contract.view import View
from service.tasks.ink import BRIGHT, MARGIN_PX, PAPER, font
from service.tasks.reasons.question import Explanation
from service.tasks.tint import strength_of, tint

_BAND_PX = 2**18  # so many pixels of the picture are worked on at once
_UNSEEN = 0.35  # how bright the parts stay that the model was not given
_TEXT_PX, _LINE_PX, _NARROWEST_PX = 14, 19, 320


def render_heat(picture: Pixels, view: View, explanation: Explanation) -> Pixels:
    """Return the picture with a glow where the model looks, (H, W, 3) uint8 of the same size.

    picture: (H, W, 3) uint8, of `view.picture`; it is left as it is.
    What is below zero does not show. Parts of the picture that the model was not given are dark.
    A map that says nothing leaves the picture plain, with the reason printed below it.
    """
    if explanation.reason is not None:
        return _with_sentence(picture, explanation.reason)
    heat, strength = np.empty_like(picture), strength_of(explanation.values)
    height, width = picture.shape[:2]
    ys, xs = np.arange(height) + 0.5, np.arange(width) + 0.5
    rows, columns = view.to_input(ys, xs)
    seen_rows, seen_columns = _within(rows, view.input[0]), _within(columns, view.input[1])
    step = max(1, _BAND_PX // width)
    for first in range(0, height, step):
        band = slice(first, first + step)
        seen = seen_rows[band, None] & seen_columns
        glow = explanation.grid.sample(strength, rows[band], columns)
        heat[band] = tint(picture[band], glow * seen)
        heat[band][~seen] = heat[band][~seen] * _UNSEEN
    return heat


def _within(places: NDArray[np.floating[Any]], size: int) -> NDArray[np.bool_]:
    return (places > 0) & (places < size)


def _with_sentence(picture: Pixels, sentence: str) -> Pixels:
    width = max(_NARROWEST_PX, picture.shape[1])
    letters = int((width - 2 * MARGIN_PX) / font(_TEXT_PX).getlength("n"))
    lines = textwrap.wrap(sentence, letters)
    below = len(lines) * _LINE_PX + 2 * MARGIN_PX
    canvas = Image.new("RGB", (width, picture.shape[0] + below), PAPER)
    canvas.paste(Image.fromarray(picture), (0, 0))
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(lines):
        place = (MARGIN_PX, picture.shape[0] + MARGIN_PX + number * _LINE_PX)
        draw.text(place, line, BRIGHT, font(_TEXT_PX))
    return np.asarray(canvas)
