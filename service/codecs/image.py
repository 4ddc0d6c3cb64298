"""Bytes to upright RGB pixels, whatever way a picture was stored, and pixels to PNG."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError, features

from service.contract.errors import EmptyInput, InvalidImage, TooLarge, UnsupportedMedia

Pixels = NDArray[np.uint8]

_AVIF = ("AVIF",) if features.check("avif") else ()
# JPEG includes MPO, which cameras write that store more than one picture in a file.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", *_AVIF)
Image.init()  # here, because Pillow loads its plugins lazily and not safely among threads
# Pillow's own limit is a switch of the whole process; `decode_image` has one a call.
Image.MAX_IMAGE_PIXELS = None
# It warns of odd metadata and palettes; what matters to us is whether the pixels decode.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
# Ends of file names that such pictures have; only folders are searched by them.
SUFFIXES = {end for end, name in Image.registered_extensions().items() if name in FORMATS}
_ORIENTATION_TAG = 0x0112
# EXIF 2.32, 4.6.4: how the stored picture must be turned to stand upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPPING = {_UPRIGHT[orientation] for orientation in (5, 6, 7, 8)}  # height and width


@dataclass(frozen=True)
class ImageLimits:
    """What a picture may cost. max_pixels: width times height, read before decoding."""

    max_pixels: int = 50_000_000


def decode_image(data: bytes, limits: ImageLimits, enough_px: int | None = None) -> Pixels:
    """Return the picture as (H, W, 3) uint8, upright, alpha laid over white.

    data: a file in one of FORMATS; the content decides, never a name or a header.
        Of an animation the first frame is taken. Embedded colour profiles are not applied.
    enough_px: a JPEG may come out at a half, a quarter or an eighth of its size, which is
        several times faster, as long as both its sides keep so many pixels.
    Raises: EmptyInput, UnsupportedMedia, TooLarge (before any pixel is decoded)
        or InvalidImage if the file is broken.
    """
    with _opened(data, limits) as image:
        if enough_px is not None:
            image.draft(None, (enough_px, enough_px))
        image.load()
        return np.asarray(_to_rgb(_upright(image)))


def read_size(data: bytes, limits: ImageLimits) -> tuple[int, int]:
    """Return height and width in pixels of what `decode_image` would give, without decoding.

    Raises: as decode_image, but for what is broken behind the head of the file.
    """
    with _opened(data, limits) as image:
        turned = _turn(image) in _SWAPPING
        return (image.width, image.height) if turned else (image.height, image.width)


@contextmanager
def _opened(data: bytes, limits: ImageLimits) -> Iterator[Image.Image]:
    """Open a picture whose size is within the limits; what fails inside is one of our errors."""
    if not data:
        raise EmptyInput("The body is empty: send the bytes of a picture.")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image.width, image.height, limits)
            yield image
    except (TooLarge, InvalidImage):
        raise
    except UnidentifiedImageError as error:
        raise _unidentified(data) from error
    except Exception as error:  # decoders fail on hostile bytes in any way there is
        raise InvalidImage(f"The picture is broken and cannot be decoded: {error}") from error


def encode_png(pixels: Pixels) -> bytes:
    """Return the PNG of (H, W) or (H, W, 1) gray, or (H, W, 3) RGB pixels."""
    buffer = io.BytesIO()
    flat = pixels[:, :, 0] if pixels.shape[2:] == (1,) else pixels
    Image.fromarray(flat).save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def _check_size(width: int, height: int, limits: ImageLimits) -> None:
    if width < 1 or height < 1:
        raise InvalidImage(f"The picture is {width} x {height} pixels: there is nothing in it.")
    if width * height > limits.max_pixels:
        raise TooLarge(
            f"The picture has {width} x {height} = {width * height:,} pixels; "
            f"at most {limits.max_pixels:,} pixels are decoded."
        )


def _unidentified(data: bytes) -> InvalidImage | UnsupportedMedia:
    """Tell a broken picture from something that never was one."""
    prefix = data[:16]
    for name in FORMATS:
        accept = Image.OPEN[name][1]
        # PPM accepts any text that begins with "Py" or "P1", so it proves nothing.
        if name != "PPM" and accept and accept(prefix) is True:
            return InvalidImage(f"The data begins like {name} but is broken or cut short.")
    return UnsupportedMedia(
        f"The data is no picture in a format that is read here: {', '.join(FORMATS)}."
    )


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # a broken EXIF block does not spoil good pixels
        orientation = 1
    return _UPRIGHT.get(orientation) if isinstance(orientation, int) else None


def _upright(image: Image.Image) -> Image.Image:
    turn = _turn(image)
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        image = _from_16_bits(image)
    elif image.mode == "F":
        image = _from_floats(image)
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    return image.convert("RGB")


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Scale 0..65535 to 0..255; Pillow's own conversion would clip everything above 255."""
    values = np.asarray(image).astype(np.int64)  # (H, W)
    if values.min() < 0 or values.max() > 65535:
        raise InvalidImage(
            f"The picture has integer values from {values.min()} to {values.max()}; "
            "gray pictures of more than 8 bits are read from 0 to 65535."
        )
    gray = ((values + 128) // 257).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        gray[values == transparent] = 255
    return Image.fromarray(gray)


def _from_floats(image: Image.Image) -> Image.Image:
    values = np.asarray(image)  # (H, W) float32
    # written as "not within" so that a NaN fails too
    if not (values.min() >= 0 and values.max() <= 1):
        raise InvalidImage(
            f"The picture has floating-point values from {values.min():g} to {values.max():g}; "
            "such pictures are read from 0 (black) to 1 (white)."
        )
    return Image.fromarray(np.rint(values * 255).astype(np.uint8))
