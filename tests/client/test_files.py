import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.client.files import Part, in_memory, read_files
from service.codecs.image import ImageLimits, decode_image

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


def test_paths_bytes_and_open_files_are_taken_as_they_are(tmp_path: Path) -> None:
    """Nothing is changed, and a path gives the file its name."""
    path = tmp_path / "cat.jpg"
    path.write_bytes(b"some bytes")
    with path.open("rb") as opened:
        found = read_files([path, str(path), b"some bytes", bytearray(b"some bytes"), opened])
    assert found == [Part(name, b"some bytes") for name in ("cat.jpg", "cat.jpg", *["file"] * 3)]


@pytest.mark.parametrize("pixels", [PIXELS, PIXELS[:, :, :1], PIXELS[:, :, 0], PIXELS[::-1, ::2]])
def test_arrays_lose_nothing(pixels: np.ndarray) -> None:
    """The server decodes the very same pixels, whatever their layout in memory."""
    (part,) = read_files([pixels])
    expected = pixels if pixels.ndim == 3 else pixels[:, :, None]
    decoded = decode_image(part.content, ImageLimits())
    np.testing.assert_array_equal(decoded, np.broadcast_to(expected, decoded.shape))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1"])
def test_pictures_of_pillow_lose_nothing(mode: str) -> None:
    """They are sent as PNG."""
    picture = Image.fromarray(PIXELS).convert(mode)
    (part,) = read_files([picture])
    reopened = Image.open(io.BytesIO(part.content))
    np.testing.assert_array_equal(np.asarray(reopened), np.asarray(picture))


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
def test_pictures_for_which_png_has_no_form_become_rgb(mode: str) -> None:
    """As files of that kind do at the server: a JPEG for printing is opened as CMYK."""
    picture = Image.fromarray(PIXELS).convert(mode)
    (part,) = read_files([picture])
    reopened = Image.open(io.BytesIO(part.content))
    np.testing.assert_array_equal(np.asarray(reopened), np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize(
    ("file", "kind", "sentence"),
    [
        (PIXELS.astype(np.float32), ValueError, "float32"),
        (np.zeros((5, 7, 4), np.uint8), ValueError, r"\(5, 7, 4\)"),
        (np.zeros(5, np.uint8), ValueError, r"\(5,\)"),
        (io.StringIO("text"), TypeError, "binary"),
        (5, TypeError, "int is no file"),
        ("/nowhere/cat.jpg", FileNotFoundError, "cat.jpg"),
    ],
)
def test_what_is_no_file_is_refused_before_it_is_sent(
    file: Any, kind: type[Exception], sentence: str
) -> None:
    """The caller learns what would have been taken."""
    with pytest.raises(kind, match=sentence):
        read_files([file])


def test_only_bytes_take_no_time() -> None:
    """All else is read beside the event loop."""
    assert in_memory([b"", b"x"])
    assert not in_memory([b"", "cat.jpg"])
