"""What one cell sees as one PNG: the picture or the sound, and beside or below it that part."""

from math import ceil, floor

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from service.codecs.image import Pixels, encode_png
from service.contract.box import Box
from service.contract.specs import AudioPreprocessing
from service.tasks.cell import Heard, Seen
from service.tasks.curves import draw_waveform
from service.tasks.ink import BRIGHT, MARGIN_PX, MUTED, PAPER, font, shorten
from service.tasks.sound_window import SoundWindow

_TITLE_PX, _TEXT_PX = 18, 13
_HEAD_PX = 52
_SIDE_PX = 512
_GAP_PX = 14
_FRAME = (255, 213, 0)
_SOUND_PX = (1180, 120)


def render_seen(picture: Pixels, seen: Seen, title: str, facts: str) -> bytes:
    """Return a PNG of the picture with what the cell sees framed, and that part enlarged beside it.

    picture: (H, W, 3). title, facts: the two lines above.
    """
    image = Image.fromarray(picture)
    whole = _fitted(image)
    if seen.box is None:
        return _framed([whole], title, facts)
    scale = whole.width / image.width
    _draw_box(whole, Box(*(side * scale for side in seen.box)))
    left, top, right, bottom = seen.box
    # whole pixels, at least one
    part = (floor(left), floor(top), max(ceil(right), floor(left) + 1), ceil(bottom))
    return _framed([whole, _fitted(image.crop(part))], title, facts)


def render_heard(
    window: SoundWindow, heard: Heard, spec: AudioPreprocessing, title: str, facts: str
) -> bytes:
    """Return a PNG of the window's waveform with what the cell hears marked, and that part alone.

    title, facts: the two lines above.
    """
    whole = Image.fromarray(draw_waveform(window.waveform, window.heard, _SOUND_PX))
    if heard.seconds is None:
        return _framed([whole], title, facts)
    first, last = (round(second * spec.sample_rate_hz) - window.start for second in heard.seconds)
    per_sample = whole.width / len(window.waveform)
    _draw_box(whole, Box(first * per_sample, 0, last * per_sample, whole.height))
    part = window.waveform[first : max(last, first + 1)]
    drawn = _at_least(part, _SOUND_PX[0])
    alone = Image.fromarray(draw_waveform(drawn, len(drawn), _SOUND_PX))
    return _framed([whole, alone], title, facts, below=True)


def _at_least(part: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return the samples, each so often that every pixel has one."""
    return part.repeat(ceil(count / len(part)))


def _fitted(image: Image.Image) -> Image.Image:
    """Return the picture as large as there is room for; enlarged, its pixels stay squares."""
    scale = _SIDE_PX / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    way = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR
    return image.resize(size, way)


def _draw_box(image: Image.Image, box: Box) -> None:
    """Frame the box: yellow on black, which shows on every ground."""
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = (round(side) for side in box)
    right, bottom = max(right - 1, left + 2), max(bottom - 1, top + 2)
    draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=(0, 0, 0), width=4)
    draw.rectangle((left, top, right, bottom), outline=_FRAME, width=2)


def _framed(parts: list[Image.Image], title: str, facts: str, below: bool = False) -> bytes:
    """Return the PNG of the parts beside or below each other, under their title."""
    widths, heights = zip(*(part.size for part in parts), strict=True)
    gaps = _GAP_PX * (len(parts) - 1)
    width = max(widths) if below else sum(widths) + gaps
    height = sum(heights) + gaps if below else max(heights)
    room = max(width, _SIDE_PX)
    image = Image.new("RGB", (room + 2 * MARGIN_PX, height + _HEAD_PX + 2 * MARGIN_PX), PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN_PX, MARGIN_PX), shorten(title, _TITLE_PX, room), BRIGHT, font(_TITLE_PX))
    draw.text((MARGIN_PX, MARGIN_PX + 26), shorten(facts, _TEXT_PX, room), MUTED, font(_TEXT_PX))
    x, y = MARGIN_PX, MARGIN_PX + _HEAD_PX
    for part in parts:
        image.paste(part, (x, y))
        x, y = (x, y + part.height + _GAP_PX) if below else (x + part.width + _GAP_PX, y)
    return encode_png(np.asarray(image))
