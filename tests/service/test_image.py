import io
import math
import struct
import threading
import warnings
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from service.codecs.image import FORMATS, ImageLimits, decode_image, encode_png
from service.contract.errors import EmptyInput, InputError, InvalidImage, TooLarge, UnsupportedMedia
from service.contract.preprocess import enough_px, preprocess_image
from service.contract.specs import ImagePreprocessing
from tests.pictures import bomb

LIMITS = ImageLimits(max_pixels=1_000_000)
LOSSLESS = ["PNG", "WEBP", "BMP", "TIFF", "PPM", "GIF"]


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=format, **options)
    return buffer.getvalue()


def decoded(image: Image.Image, format: str = "PNG", **options: Any) -> np.ndarray:
    return decode_image(encoded(image, format, **options), LIMITS)


def png(width: int, height: int, bits: int, color: int, rows: bytes, *chunks: bytes) -> bytes:
    """Return a PNG whose header says that, put together by hand."""
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.fixture
def photo() -> Image.Image:
    """Seven by five pixels, all different."""
    values = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3) * 2
    return Image.fromarray(values)


@pytest.mark.parametrize("format", LOSSLESS)
def test_lossless_formats_give_the_pixels_back(photo: Image.Image, format: str) -> None:
    """Stored without loss, every pixel comes back, as (H, W, 3) uint8."""
    options = {"lossless": True} if format == "WEBP" else {}
    pixels = decoded(photo, format, **options)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.asarray(photo))


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF"])
def test_lossy_formats_give_nearly_the_pixels_back(format: str) -> None:
    """A flat colour survives lossy compression within a few grey levels."""
    if format not in FORMATS:
        pytest.skip("this Pillow was built without it")
    pixels = decoded(Image.new("RGB", (16, 16), (200, 100, 50)), format)
    assert np.abs(pixels.astype(int) - (200, 100, 50)).max() <= 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photo_stands_upright_whatever_its_orientation_tag(orientation: int) -> None:
    """The pixel that EXIF says is at the top left ends up there, for all eight orientations.

    Source: EXIF 2.32, 4.6.4: the tag names where row 0 and column 0 of the data belong.
    """
    upright = np.zeros((2, 3, 3), np.uint8)
    upright[0, 0], upright[0, 2], upright[1, 0] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    for format in ("PNG", "TIFF"):
        image = Image.fromarray(np.ascontiguousarray(stored))
        assert np.array_equal(decoded(image, format, exif=exif), upright)


def test_broken_exif_does_not_spoil_the_picture() -> None:
    """Good pixels with a damaged EXIF block are served as they are."""
    image = Image.new("RGB", (8, 8), "white")
    pixels = decoded(image, "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff broken")
    assert pixels.shape == (8, 8, 3)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_laid_over_white(mode: str) -> None:
    """Half transparent black over white is mid grey, full transparency is white."""
    image = Image.new("RGBA", (3, 1))
    image.putpixel((0, 0), (0, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 128))
    image.putpixel((2, 0), (0, 0, 0, 0))
    assert decoded(image.convert(mode))[0, :, 0].tolist() == [0, 127, 255]


def test_transparent_palette_entry_is_white() -> None:
    """GIF and PNG mark one colour of the palette as transparent."""
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    for format in ("PNG", "GIF"):
        pixels = decoded(image, format, transparency=1)
        assert pixels.tolist() == [[[255, 0, 0], [255, 255, 255]]]


def test_palette_with_alpha_is_laid_over_white() -> None:
    """A PNG palette may carry an alpha for every entry."""
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 0])
    image.putpixel((1, 0), 1)
    pixels = decoded(image, "PNG", transparency=bytes([255, 128]))
    assert pixels.tolist() == [[[255, 0, 0], [127, 127, 127]]]


@pytest.mark.parametrize("mode", ["L", "RGB", "1"])
def test_transparent_colour_is_white(mode: str) -> None:
    """The tRNS chunk of a PNG without palette names one transparent colour."""
    image = Image.new(mode, (2, 1), 0)
    image.putpixel((1, 0), (9, 9, 9) if mode == "RGB" else 9)
    pixels = decoded(image, transparency=(0, 0, 0) if mode == "RGB" else 0)
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[0, 1].tolist() == [255 if mode == "1" else 9] * 3


def test_palette_grayscale_and_bilevel_become_rgb() -> None:
    """Whatever few colours were stored, they come back as three channels."""
    assert decoded(Image.new("L", (2, 2), 77)).tolist() == [[[77] * 3] * 2] * 2
    assert decoded(Image.new("1", (2, 2), 1)).tolist() == [[[255] * 3] * 2] * 2
    palette = Image.new("RGB", (2, 2), (1, 2, 3)).convert("P", palette=Image.Palette.ADAPTIVE)
    assert decoded(palette).tolist() == [[[1, 2, 3]] * 2] * 2


@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled_and_not_clipped(format: str) -> None:
    """0..65535 becomes 0..255 evenly; a plain conversion would make most of it white."""
    ramp = np.array([[0, 257, 25700, 32768, 65535]], np.uint16)
    pixels = decoded(Image.fromarray(ramp), format)
    assert pixels[0, :, 0].tolist() == [0, 1, 100, 128, 255]


def test_sixteen_bits_big_endian_and_transparent() -> None:
    """Byte order does not matter, and a transparent grey is white."""
    ramp = np.array([[0, 25700, 65535]], np.uint16)
    motorola = Image.frombytes("I;16B", (3, 1), ramp.astype(">u2").tobytes())
    assert decoded(motorola, "TIFF")[0, :, 0].tolist() == [0, 100, 255]
    rows = zlib.compress(b"\x00" + ramp.astype(">u2").tobytes())
    transparent = png(3, 1, 16, 0, rows, chunk(b"tRNS", struct.pack(">H", 25700)))
    assert decode_image(transparent, LIMITS)[0, :, 0].tolist() == [0, 255, 255]


def test_integers_beyond_sixteen_bits_are_refused() -> None:
    """Nobody knows what white is among 32-bit integers, so none is guessed."""
    with pytest.raises(InvalidImage, match="from 0 to 65535"):
        decoded(Image.fromarray(np.array([[0, 70_000]], np.int32)), "TIFF")


def test_floats_are_read_from_zero_to_one() -> None:
    """A floating-point picture in 0..1 is scaled, any other is refused."""
    pixels = decoded(Image.fromarray(np.array([[0, 0.5, 1]], np.float32)), "TIFF")
    assert pixels[0, :, 0].tolist() == [0, 128, 255]
    for bad in ([[0, 200]], [[-1, 1]], [[np.nan, 1]]):
        with pytest.raises(InvalidImage, match="floating-point"):
            decoded(Image.fromarray(np.array(bad, np.float32)), "TIFF")


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_shows_the_colours_that_were_meant(format: str) -> None:
    """Full cyan ink is cyan, not red: Adobe's JPEGs store CMYK inverted."""
    cyan = decoded(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), format)
    red, green, blue = cyan[4, 4].tolist()
    assert red < 10
    assert min(green, blue) > 245


def test_lab_and_ycbcr_tiffs_become_rgb() -> None:
    """Rarer colour spaces of TIFF are converted."""
    assert decoded(Image.new("RGB", (2, 2), "red").convert("YCbCr"), "TIFF")[0, 0, 0] > 250
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    lab = ImageCms.applyTransform(Image.new("RGB", (2, 2), "white"), to_lab)
    assert decoded(lab, "TIFF").min() > 250


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_frame_of_an_animation_is_taken(format: str) -> None:
    """Of several frames or pages, the first is what a person sees first."""
    first, second = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")
    pixels = decoded(first, format, save_all=True, append_images=[second])
    assert pixels[0, 0, 0] > 240
    assert pixels[0, 0, 2] < 15


def test_cameras_with_several_pictures_a_file_are_read() -> None:
    """MPO is a JPEG with more JPEGs behind it; the first is taken."""
    first, second = Image.new("RGB", (16, 16), "red"), Image.new("RGB", (16, 16), "blue")
    assert decoded(first, "MPO", save_all=True, append_images=[second])[0, 0, 0] > 240


def test_nothing_is_not_a_picture() -> None:
    """No bytes at all is an error of its own."""
    with pytest.raises(EmptyInput):
        decode_image(b"", LIMITS)


@pytest.mark.parametrize(
    "data", [b"hello", b"Python", b"P", b"\x00", b"%PDF-1.7", b"<svg/>", b"GIF", b"{}"]
)
def test_what_is_no_picture_brings_the_formats_that_are_read(data: bytes) -> None:
    """The message tells which formats would have worked."""
    with pytest.raises(UnsupportedMedia, match="JPEG, PNG, WEBP"):
        decode_image(data, LIMITS)


@pytest.mark.parametrize("format", ["JPEG", *LOSSLESS])
def test_picture_cut_short_is_broken(format: str) -> None:
    """Half a file is refused, never filled up with grey."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(noise), format)
    with pytest.raises(InvalidImage):
        decode_image(data[: len(data) // 2], LIMITS)


def test_picture_of_no_size_is_refused() -> None:
    """Zero by zero pixels cannot be classified."""
    with pytest.raises(InvalidImage):
        decode_image(png(0, 0, 8, 2, zlib.compress(b"")), LIMITS)


@pytest.mark.parametrize("side", [1001, 1300, 1500, 30_000, 2**31 - 1])
def test_too_many_pixels_are_refused_before_decoding(side: int) -> None:
    """The header alone decides: the data behind it is none, and yet this is what is told."""
    with pytest.raises(TooLarge, match="1,000,000") as caught:
        decode_image(png(side, side, 1, 0, b""), LIMITS)
    assert f"{side * side:,}" in str(caught.value)


@pytest.mark.parametrize("max_pixels", [4, 5])
def test_limit_is_exact_to_the_pixel(max_pixels: int) -> None:
    """As many pixels as are allowed are decoded, one more is not, for odd limits too."""
    limits = ImageLimits(max_pixels)
    assert decode_image(encoded(Image.new("RGB", (max_pixels, 1))), limits).shape[1] == max_pixels
    with pytest.raises(TooLarge, match=f"{max_pixels + 1}.* at most {max_pixels} pixels"):
        decode_image(encoded(Image.new("RGB", (max_pixels + 1, 1))), limits)


def test_our_limit_speaks_where_pillows_would() -> None:
    """A picture that Pillow would call a bomb is refused by ours, with its sides."""
    side = math.isqrt(2 * 89_478_485) + 100  # Pillow refuses from twice its limit on
    with pytest.raises(TooLarge, match=f"{side} x {side}"):
        decode_image(bomb(side), LIMITS)


def test_warnings_of_the_decoder_stay_inside() -> None:
    """Odd pictures make Pillow warn; nothing of it escapes, and filters are left as found."""
    palette = Image.new("P", (2, 2))
    data = encoded(palette, transparency=bytes([10, 20]))
    found = list(warnings.filters)
    threads = [
        threading.Thread(target=lambda: [decode_image(data, LIMITS) for _ in range(50)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == found


@settings(max_examples=300, deadline=None)
@given(
    format=st.sampled_from([*LOSSLESS, "JPEG"]),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damaged_bytes_give_a_picture_or_one_of_our_errors(
    format: str, flips: list[tuple[float, int]]
) -> None:
    """Whatever is wrong with the bytes, no exception of the decoder escapes."""
    noise = np.random.default_rng(1).integers(0, 256, (12, 12, 3), np.uint8)
    data = bytearray(encoded(Image.fromarray(noise), format))
    for place, value in flips:
        data[int(place * (len(data) - 1))] = value
    try:
        pixels = decode_image(bytes(data), LIMITS)
    except InputError:
        return
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3


def test_png_round_trip() -> None:
    """What is encoded as PNG is decoded to the same pixels, gray or RGB."""
    rgb = np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8)
    assert np.array_equal(decode_image(encode_png(rgb), LIMITS), rgb)
    assert np.array_equal(decode_image(encode_png(rgb[:, :, 0]), LIMITS)[:, :, 0], rgb[:, :, 0])


ROOMY = ImageLimits(max_pixels=2_000_000)


def photograph(width: int, height: int, **how: Any) -> bytes:
    """Return a JPEG with large shapes and fine grain."""
    rows, columns = np.mgrid[:height, :width]
    waves = [128 + 90 * np.sin(columns / a) * np.cos(rows / b) for a, b in [(37, 91), (53, 29)]]
    grain = np.random.default_rng(0).normal(0, 12, (height, width))
    pixels = np.stack([waves[0] + grain, waves[1] + grain, waves[0]], axis=2)
    buffer = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", **how)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("side", "shape"), [(1000, (1200, 1600)), (600, (600, 800)), (150, (150, 200))]
)
def test_large_jpeg_is_decoded_no_larger_than_needed(side: int, shape: tuple[int, int]) -> None:
    """Halved while both sides keep enough pixels, and never below that."""
    assert decode_image(photograph(1600, 1200), ROOMY, side).shape == (*shape, 3)


def test_reduced_decoding_hardly_shows_in_the_model_input() -> None:
    """After resampling, pixels agree within what a JPEG's own rounding makes."""
    spec = ImagePreprocessing(
        color="rgb", resize="squash", height=96, width=128, mean=(0,) * 3, std=(1,) * 3
    )
    data = photograph(1600, 1200, quality=92)
    whole, reduced = (
        preprocess_image(decode_image(data, ROOMY, side), spec).astype(int)
        for side in (None, enough_px(spec))
    )
    assert np.abs(whole - reduced).mean() < 1
    assert np.abs(whole - reduced).max() <= 8


def test_reduced_picture_still_stands_upright() -> None:
    """The orientation is applied to what was decoded."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = photograph(1600, 800, exif=exif)
    assert decode_image(data, ROOMY, 200).shape == (400, 200, 3)
