import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from service.codecs.palette_png import encode_palette_png

COLORS = [(index, 255 - index, index // 2) for index in range(256)]


@given(data=st.data(), classes=st.integers(1, 256))
def test_pixels_are_class_indices(data: st.DataObject, classes: int) -> None:
    """Whatever the number of classes, and so of bits a pixel; odd widths fill up a byte."""
    shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))
    mask = data.draw(arrays.arrays(np.uint8, shapes, elements=st.integers(0, classes - 1)))
    image = Image.open(io.BytesIO(encode_palette_png(mask, COLORS[:classes])))
    assert (image.format, image.mode) == ("PNG", "P")
    assert np.array_equal(np.asarray(image), mask)


@pytest.mark.parametrize("classes", [1, 2, 3, 4, 5, 16, 17, 255, 256])
def test_palette_holds_the_colours_of_the_classes(classes: int) -> None:
    """Shown as a picture, each pixel has the colour of its class."""
    mask = np.arange(classes, dtype=np.uint8)[None]
    image = Image.open(io.BytesIO(encode_palette_png(mask, COLORS[:classes])))
    assert np.asarray(image.convert("RGB"))[0].tolist() == [list(c) for c in COLORS[:classes]]


def test_class_without_a_colour_is_refused() -> None:
    """Four colours take two bits, in which a 5 would be a 1."""
    with pytest.raises(ValueError, match="class 5 has no colour: there are 4"):
        encode_palette_png(np.array([[5]], np.uint8), COLORS[:4])


def test_large_smooth_mask_takes_little() -> None:
    """A million pixels in a few kilobytes."""
    rows, columns = np.mgrid[:1000, :1000]
    mask = ((rows - 500) ** 2 + (columns - 500) ** 2 < 160_000).astype(np.uint8) * 3
    assert len(encode_palette_png(mask, COLORS[:12])) < 20_000
