"""Bytes in memory as the file that libsndfile reads."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from service.contract.errors import ConvscopeError, InvalidAudio


class SoundBytes:
    """Several pieces of memory, read one after another as if they were one file.

    Nothing is copied. No method raises: libsndfile calls them from C, where an exception
    would be printed and forgotten. One reader has one of these, since it has a position.
    """

    def __init__(self, *pieces: bytes | memoryview) -> None:
        self._pieces = [memoryview(piece) for piece in pieces]
        self._size = sum(len(piece) for piece in self._pieces)
        self._at = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go there, or as near as the ends allow; return the position."""
        base = {io.SEEK_CUR: self._at, io.SEEK_END: self._size}.get(whence, 0)
        self._at = min(max(base + offset, 0), self._size)
        return self._at

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from the position on; return how many bytes there were for it."""
        filled, begin = 0, 0
        for piece in self._pieces:
            part = piece[max(self._at - begin, 0) :][: len(buffer) - filled]
            buffer[filled : filled + len(part)] = part
            filled += len(part)
            self._at += len(part)
            begin += len(piece)
        return filled

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; soundfile wants this to be there, but uses `readinto`."""
        buffer = bytearray(max(size, 0))
        return bytes(buffer[: self.readinto(buffer)])


@contextmanager
def opened(pieces: tuple[bytes | memoryview, ...]) -> Iterator[Any]:
    """Open a sound for reading on; what fails inside is one of our errors.

    Yields: a soundfile.SoundFile. It is imported here, because that takes 80 ms and most
        servers hear nothing.
    """
    import soundfile  # type: ignore[import-untyped]

    try:
        with soundfile.SoundFile(SoundBytes(*pieces)) as file:
            # Otherwise each block ends in a seek to where the file already is, which costs
            # MP3 a third of its speed.
            file.seekable = lambda: False
            yield file
    except (ConvscopeError, MemoryError):
        raise
    except Exception as error:  # decoders fail on hostile bytes in any way there is
        reason = getattr(error, "error_string", str(error)).removeprefix("Error : ").strip(" .")
        raise InvalidAudio(f"The sound is broken and cannot be decoded: {reason}.") from error
