"""The map that a layer makes of a sound as one PNG: true to its time, with the sound above it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from service.codecs.image import encode_png
from service.contract.errors import InvalidParameter
from service.contract.windows import Waveform
from service.tasks.colors import ColorScale, Rgb, fit_range
from service.tasks.curves import draw_curve, draw_waveform
from service.tasks.header import put_header
from service.tasks.ink import BRIGHT, FAINT, MUTED, PAPER, font
from service.tasks.look import AS_USUAL, Look
from service.tasks.mosaic import spell_channels
from service.tasks.panels import (
    MOST_CURVES,
    SOUND_PX,
    Layout,
    plan_curves,
    plan_rows,
    plan_spectrograms,
)
from service.tasks.tiles import averaged
from service.tasks.timeline import Timeline, round_step
from service.tasks.tint import Glow, tint

_TEXT_PX = 11
_LINE_PX = 13
_TICKS_APART_PX = 80
_BANDS_APART_PX = 26
# Rows are not numbered by band where there is no room for it.
_ROWS_PX = 100


@dataclass(frozen=True)
class Scene:
    """What a map of a sound is shown with.

    timeline: of the window, and of the cells in it.
    waveform: (window_samples,), drawn above; of these `heard` samples are the sound's own.
    bands: the middle of the lowest row of the map and the way to the next, in bands.
    spectrogram: the map is the sound's spectrum itself, in which zero is nothing special.
    notes: facts to tell, about what a cell sees and what fills the window.
    numbered: the map is channels of a layer, which are told apart by their numbers.
    """

    timeline: Timeline
    waveform: Waveform = field(repr=False)
    heard: int
    bands: tuple[float, float] = (0.5, 1)
    spectrogram: bool = False
    notes: tuple[str, ...] = ()
    numbered: bool = True


@dataclass(frozen=True)
class Cover:
    """A glow over a spectrogram.

    values: those that glow. strength: of the glow in each cell of the spectrogram, (H, W) in 0..1.
    """

    values: NDArray[np.float32] = field(repr=False)
    strength: NDArray[np.float32] = field(repr=False)
    scale: Glow


def render_sound_map(
    values: NDArray[np.float32],
    channels: Sequence[int],
    title: str,
    scene: Scene,
    look: Look = AS_USUAL,
    cover: Cover | None = None,
) -> bytes:
    """Return a PNG of the channels, at most 2048 pixels a side.

    values: (C, L), drawn as curves or, if there are many, as rows of colours; (C, H, W), drawn
        upright with the lowest row at the bottom. Time runs to the right. Where cells are finer
        than pixels, a sequence shows the extremes, which would cancel out in a mean.
    channels: indices along C, drawn in this order.
    title: names the layer.
    cover: what glows over the map (1, H, W), which is gray then.
    Raises: InvalidParameter if no channel is given or so many do not fit, or if it is to be zoomed.
    """
    if not channels:
        raise InvalidParameter("a picture needs at least one channel")
    if look.zoom is not None:
        raise InvalidParameter("zoom is for maps of pictures: here the time sets the width.")
    chosen = values[list(channels)]
    maps = chosen.reshape(len(chosen), -1, chosen.shape[-1])  # (count, rows, cells)
    scales = look.scales(chosen, zero_is_nothing_special=scene.spectrogram)
    canvas = _Canvas(maps, channels, scales, scene, look, cover)
    body = canvas.draw()
    facts = [*canvas.facts, *filter(None, [look.fact])]
    if scene.numbered:
        shape = " x ".join(map(str, values.shape))
        facts = [shape, spell_channels(len(channels), len(values)), *facts]
    scale: ColorScale | Glow | None = scales[0] if look.scale == "shared" else None
    if cover:
        chosen, scale = cover.values, cover.scale
    return encode_png(np.asarray(put_header(body, title, " · ".join(facts), chosen, scale)))


class _Canvas:
    """The picture below the header, and what is to be said of it."""

    def __init__(
        self,
        maps: NDArray[np.float32],
        channels: Sequence[int],
        scales: Sequence[ColorScale],
        scene: Scene,
        look: Look,
        cover: Cover | None,
    ) -> None:
        self._maps, self._scene, self._cover = maps, scene, cover
        count, rows, _ = maps.shape
        shared = look.scale == "shared"
        self._scales = [scales[0]] * count if shared else scales
        reaches = [fit_range(maps)] * count if shared else [fit_range(part) for part in maps]
        self._limits = [(min(reach.low, 0.0), max(reach.high, 0.0)) for reach in reaches]
        self._numbers = [str(channel) if scene.numbered else "" for channel in channels]
        self._captions = look.captions(channels, scales) if scene.numbered else self._numbers
        self._upright, self._curves = rows > 1, rows == 1 and count <= MOST_CURVES
        self.layout = self._plan(count, rows)
        self._cells = scene.timeline.cells_to_a_pixel(self.layout.panel[0])
        self.facts = self._spell()

    def _plan(self, count: int, rows: int) -> Layout:
        if self._upright:
            plain = plan_spectrograms(count, rows, left=0)
            if plain.panel[1] < _ROWS_PX:
                return plain
            return plan_spectrograms(count, rows, left=_width("0000") + 8)
        if self._curves:
            limits = [f"{limit:.3g}" for pair in self._limits for limit in pair]
            beside = [*limits, *map(_numbered, self._numbers)]
            return plan_curves(count, max(map(_width, beside)) + 8)
        return plan_rows(count, max(map(_width, self._numbers)) + 8)

    def _spell(self) -> list[str]:
        rows = self.layout.reduced
        facts = list(self._scene.notes)
        if self._upright and max(rows, self._cells) > 1:
            facts.append(f"{rows} x {self._cells} cells averaged to a pixel")
        elif self._cells > 1:
            which = "lowest to highest" if self._curves else "the strongest"
            facts.append(f"{which} of {self._cells} cells in a pixel")
        if self._upright:
            facts.append("low bands at the bottom")
        return facts

    def draw(self) -> Image.Image:
        pixels = np.full((*self.layout.size[::-1], 3), PAPER, np.uint8)
        self._draw_sound(pixels)
        for place, (left, top) in enumerate(self.layout.corners()):
            panel = self._curve(place) if self._curves else self._colors(place)
            high, wide = panel.shape[:2]
            pixels[top : top + high, left : left + wide] = panel
        image = Image.fromarray(pixels)
        draw = ImageDraw.Draw(image)
        self._write_captions(draw)
        for left in self.layout.lefts()[: len(self._maps)]:
            self._draw_axis(draw, left)
        return image

    def _draw_sound(self, pixels: NDArray[np.uint8]) -> None:
        width, scene = self.layout.panel[0], self._scene
        strip = draw_waveform(scene.waveform, scene.heard, (width, SOUND_PX - 8))
        for left in self.layout.lefts()[: len(self._maps)]:
            pixels[: len(strip), left : left + width] = strip

    def _curve(self, place: int) -> NDArray[np.uint8]:
        """Return the panel of one channel of a sequence."""
        width, height = self.layout.panel
        blocks = _in_blocks(self._maps[place, 0], self._cells)
        places = self._scene.timeline.blocks_at(width, len(blocks), self._cells)
        reach = np.stack([blocks.min(axis=1), blocks.max(axis=1)])
        return draw_curve(reach, places, self._limits[place], self._scales[place], height)

    def _colors(self, place: int) -> NDArray[np.uint8]:
        """Return the panel of one channel, the lowest row at the bottom."""
        layout, timeline, values = self.layout, self._scene.timeline, self._maps[place]
        width, height = layout.panel
        if self._upright:
            blocks = averaged(values[None], layout.reduced, self._cells)[0]
        else:
            blocks = _strongest(_in_blocks(values[0], self._cells))[None]
        colors = self._scales[place].paint(blocks)
        if self._upright and self._cover:
            strength = averaged(self._cover.strength[None], layout.reduced, self._cells)[0]
            colors = tint(colors, strength)
        shown = colors[::-1].repeat(height // len(blocks), axis=0)
        places = timeline.blocks_at(width, blocks.shape[1], self._cells)
        panel: NDArray[np.uint8] = shown[:, places]
        panel[:, places < 0] = PAPER
        return panel

    def _write_captions(self, draw: ImageDraw.ImageDraw) -> None:
        height = self.layout.panel[1]
        every = int(round_step(max(1, _LINE_PX / self.layout.pitch[1])))
        for place, (left, top) in enumerate(self.layout.corners()):
            if self._upright:
                draw.text((left, top - 14), self._captions[place], MUTED, font(_TEXT_PX))
                if height >= _ROWS_PX:
                    self._number_bands(draw, left, top)
            elif self._curves:
                low, high = (f"{limit:.3g}" for limit in self._limits[place])
                _write_left(draw, (left, top + 6), high, MUTED)
                number = _numbered(self._numbers[place])
                _write_left(draw, (left, top + height / 2), number, BRIGHT)
                _write_left(draw, (left, top + height - 6), low, MUTED)
            elif place // self.layout.columns % every == 0:
                middle = top + min(height, _LINE_PX * every) / 2
                _write_left(draw, (left, middle), self._numbers[place], MUTED)

    def _number_bands(self, draw: ImageDraw.ImageDraw, left: int, top: int) -> None:
        """Write the numbers of bands beside the rows that lie there."""
        (start, jump), rows = self._scene.bands, self._maps.shape[1]
        height = self.layout.panel[1]
        per_band = height / (rows * jump)
        edge = start - jump / 2  # the lower edge of the lowest row
        step = max(1, int(round_step(_BANDS_APART_PX / per_band)))
        for band in range(0, int(edge + rows * jump), step):
            y = top + height - (band + 0.5 - edge) * per_band
            if top <= y <= top + height:
                _write_left(draw, (left, y), str(band), MUTED)

    def _draw_axis(self, draw: ImageDraw.ImageDraw, left: int) -> None:
        width, top = self.layout.panel[0], self.layout.foot
        draw.line((left, top, left + width - 1, top), FAINT)
        apart = _TICKS_APART_PX if width > 300 else _TICKS_APART_PX / 2
        ticks = self._scene.timeline.ticks(width, apart)
        for x, label in ticks:
            draw.line((left + x, top, left + x, top + 4), MUTED)
            text = f"{label} s" if (x, label) == ticks[-1] else label
            first, last = -min(left, 10), width - _width(text) + 8
            at = left + min(max(x - _width(label) / 2, first), last)
            draw.text((at, top + 6), text, MUTED, font(_TEXT_PX))


def _in_blocks(values: NDArray[np.float32], cells: int) -> NDArray[np.float32]:
    """Return (blocks, cells) of a channel (L,); the last value fills the last block."""
    return np.pad(values, (0, -len(values) % cells), mode="edge").reshape(-1, cells)


def _strongest(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return of each block the value that is furthest from zero; a NaN is further than all."""
    places = np.abs(blocks).argmax(axis=1)
    strongest: NDArray[np.float32] = blocks[np.arange(len(blocks)), places]
    return strongest


def _numbered(number: str) -> str:
    return number and f"ch {number}"


def _width(text: str) -> int:
    return int(font(_TEXT_PX).getlength(text)) + 1


def _write_left(draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, ink: Rgb) -> None:
    """Write the text to the left of a panel, its middle at the place's height."""
    draw.text((place[0] - 6, place[1]), text, ink, font(_TEXT_PX), anchor="rm")
