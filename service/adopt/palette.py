"""Colours for the classes of a segmenter that has none of its own."""

from service.contract.manifest import Color


def palette(count: int) -> tuple[Color, ...]:
    """Return so many different colours, black first, as PASCAL VOC draws its classes.

    The bits of the class index are dealt out to red, green and blue, from the highest bit down.

    >>> palette(4)
    ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0))
    """
    return tuple(_color(index) for index in range(count))


def _color(index: int) -> Color:
    channels = [0, 0, 0]
    for bit in range(8):
        for channel in range(3):
            channels[channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
    red, green, blue = channels
    return red, green, blue
