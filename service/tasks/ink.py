"""What all pictures are drawn with: paper, ink and letters."""

from functools import cache

from PIL import ImageFont

from service.tasks.colors import Rgb

PAPER: Rgb = (22, 24, 29)
BRIGHT: Rgb = (236, 238, 242)
MUTED: Rgb = (160, 166, 178)
FAINT: Rgb = (70, 75, 86)

# Width and height together stay friendly to browsers and to memory.
MAX_SIDE_PX = 2048
MARGIN_PX = 14


@cache
def font(size_px: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's own font, which is there on every machine."""
    loaded = ImageFont.load_default(size=size_px)
    if not isinstance(loaded, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType, so it cannot letter pictures")
    return loaded


def shorten(text: str, size_px: int, width_px: int) -> str:
    """Return the text, its middle left out as far as is needed to fit the width."""
    if font(size_px).getlength(text) <= width_px:
        return text
    for kept in range(len(text) - 1, 0, -1):
        front = kept // 2
        short = f"{text[:front]}…{text[len(text) - (kept - front) :]}"
        if font(size_px).getlength(short) <= width_px:
            return short
    return "…"
