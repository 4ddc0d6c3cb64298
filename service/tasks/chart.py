"""What curves are drawn with: smooth lines, sharp letters, and axes with round numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from PIL import Image, ImageDraw

from service.tasks.colors import Rgb
from service.tasks.ink import FAINT, MUTED, PAPER, font
from service.tasks.timeline import round_step

Point = tuple[float, float]
GROUND: Rgb = (28, 31, 37)
LINES: tuple[Rgb, ...] = ((110, 168, 254), (255, 193, 94), (99, 214, 160))
ODD: Rgb = (255, 107, 107)
# Pillow draws lines without smoothing: they are drawn so much larger and then reduced.
_FINER = 3
_TEXT_PX = 12


class Canvas:
    """A picture that is drawn on, in pixels of its final size."""

    def __init__(self, width: int, height: int) -> None:
        self._image = Image.new("RGB", (width * _FINER, height * _FINER), PAPER)
        self._draw = ImageDraw.Draw(self._image)
        self._texts: list[tuple[Point, str, Rgb, int, str]] = []
        self._pasted: list[tuple[Image.Image, tuple[int, int]]] = []

    def rectangle(self, left: float, top: float, right: float, bottom: float, color: Rgb) -> None:
        """Fill the box."""
        box = [edge * _FINER for edge in (left, top, right, bottom)]
        self._draw.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), color)

    def line(self, points: Sequence[Point], color: Rgb, width: float = 1) -> None:
        """Draw a line from point to point."""
        finer = [(x * _FINER, y * _FINER) for x, y in points]
        self._draw.line(finer, color, round(width * _FINER), joint="curve")

    def dot(self, point: Point, radius: float, color: Rgb, hollow: bool = False) -> None:
        """Draw a disc, or a ring."""
        x, y = (along * _FINER for along in point)
        reach = radius * _FINER
        box = (x - reach, y - reach, x + reach, y + reach)
        self._draw.ellipse(box, PAPER if hollow else color, color, round(1.5 * _FINER))

    def text(
        self, at: Point, text: str, color: Rgb = MUTED, size_px: int = _TEXT_PX, anchor: str = "la"
    ) -> None:
        """Write the text; anchor as in Pillow."""
        self._texts.append((at, text, color, size_px, anchor))

    def paste(self, image: Image.Image, at: tuple[int, int]) -> None:
        """Lay a picture on it."""
        self._pasted.append((image, at))

    def finish(self) -> Image.Image:
        """Return it."""
        image = self._image.reduce(_FINER)
        draw = ImageDraw.Draw(image)
        for pasted, corner in self._pasted:
            image.paste(pasted, corner)
        for at, text, color, size_px, anchor in self._texts:
            draw.text(at, text, color, font(size_px), anchor=anchor)
        return image


@dataclass(frozen=True)
class Axes:
    """A box in which numbers have places. x, y: what its edges stand for, the lower first."""

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def place(self, x: float, y: float) -> Point:
        """Return where the numbers lie."""
        return self.across(x), self.up(y)

    def across(self, x: float) -> float:
        """Return how far from the left."""
        low, high = self.x
        return self.left + (x - low) / ((high - low) or 1.0) * self.width

    def up(self, y: float) -> float:
        """Return how far from the top."""
        low, high = self.y
        return self.top + (high - y) / ((high - low) or 1.0) * self.height

    def draw(self, canvas: Canvas, levels: Sequence[tuple[float, str]]) -> None:
        """Draw the ground, and a faint line at each of the levels with what it is called."""
        canvas.rectangle(
            self.left, self.top, self.left + self.width, self.top + self.height, GROUND
        )
        for level, name in levels:
            y = self.up(level)
            canvas.line([(self.left, y), (self.left + self.width, y)], FAINT, 0.5)
            canvas.text((self.left - 6, y), name, anchor="rm")


def round_numbers(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """Return up to about `most` round numbers between the two, and how they are written.

    >>> round_numbers(-8, 8, 5)
    [(-5.0, '-5'), (0.0, '0'), (5.0, '5')]
    """
    step = round_step((high - low) / most or 1.0)
    digits = max(0, -floor(log10(step) + 1e-9))
    steps = range(ceil(low / step - 1e-6), floor(high / step + 1e-6) + 1)
    return [(number * step, f"{number * step:.{digits}f}") for number in steps]
