"""Pictures and sounds in the forms in which programs have them, to bytes."""

import io
import os
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class _Readable(Protocol):
    def read(self) -> bytes: ...


class _Picture(Protocol):
    """Pillow's, which need not be installed."""

    @property
    def mode(self) -> str: ...

    def save(self, fp: Any, format: str) -> None: ...
    def convert(self, mode: str) -> "_Picture": ...


# What pictures from JPEG and TIFF files may have.
_NOT_IN_PNG = ("CMYK", "YCbCr")
# A path, the bytes of a file, an open file, a picture of Pillow's, or an array of pixels.
File = str | os.PathLike[str] | bytes | bytearray | memoryview | _Readable | _Picture | NDArray[Any]


class Part(NamedTuple):
    """A file that is ready to be sent."""

    name: str
    content: bytes


def read_files(files: Sequence[File]) -> list[Part]:
    """Return the files' names and bytes; blocks.

    Raises: OSError if one cannot be read; TypeError or ValueError if it is none.
    """
    return [Part(_name(file), _bytes(file)) for file in files]


def in_memory(files: Sequence[File]) -> bool:
    """Return whether `read_files` would take no time."""
    return all(isinstance(file, bytes) for file in files)


def _name(file: File) -> str:
    return os.path.basename(file) if isinstance(file, str | os.PathLike) else "file"


def _bytes(file: File) -> bytes:
    if isinstance(file, bytes | bytearray | memoryview):
        return bytes(file)
    if isinstance(file, str | os.PathLike):
        with open(file, "rb") as opened:
            return opened.read()
    if isinstance(file, np.ndarray):
        return _pixmap(file)
    if hasattr(file, "read"):
        content = file.read()
        if not isinstance(content, bytes):
            raise TypeError("the file must be opened in binary mode, as with open(path, 'rb')")
        return content
    if hasattr(file, "save") and hasattr(file, "mode"):
        buffer = io.BytesIO()
        if file.mode in _NOT_IN_PNG:  # as the server does with a file of that kind
            file = file.convert("RGB")
        file.save(buffer, format="PNG")
        return buffer.getvalue()
    raise TypeError(
        f"{type(file).__name__} is no file: paths, bytes, open files, pictures of Pillow's and "
        "uint8 arrays are"
    )


def _pixmap(pixels: NDArray[Any]) -> bytes:
    """Return pixels (H, W), (H, W, 1) or (H, W, 3) uint8 as a PGM or PPM, which lose nothing."""
    gray = pixels.ndim == 2 or pixels.shape[2:] == (1,)
    if pixels.dtype != np.uint8 or not (gray or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        raise ValueError(
            "a picture is uint8 of (height, width) or (height, width, 3), "
            f"not {pixels.dtype} of {pixels.shape}"
        )
    height, width = pixels.shape[:2]
    return b"P%d %d %d 255\n" % (5 if gray else 6, width, height) + pixels.tobytes()
