"""Whether a WAV or AIFF holds all the sound that its chunks promise.

libsndfile reads what there is of a file cut short, and does not tell.
"""

from collections.abc import Iterator
from typing import Literal

from service.contract.errors import InvalidAudio

# What writers put who cannot know the size, since they write into a pipe: ffmpeg the first,
# SoX the second, arecord and others the rest.
_UNKNOWN_SIZES = {0xFFFFFFFF, 0x7FFFF000, 0x7FFFFFFF, 0x7FFFFF00, 0x80000000}
_MOST_CHUNKS = 10_000
_DS64_DATA_SIZE = slice(8, 16)  # EBU Tech 3306, 3.5: behind the size of the whole file
# Some writers count the head of the file in.
_MISCOUNTED_BYTES = 64


def check_chunks(data: bytes, start: int) -> None:
    """Raise InvalidAudio if clearly less sound is there than promised.

    start: where the file's own head begins in the data, in bytes.
    """
    large_size = 0
    for name, size, at in _chunks(data, start):
        if name == b"ds64":
            large_size = int.from_bytes(data[at : at + size][_DS64_DATA_SIZE], "little")
        if name in (b"data", b"SSND"):
            _check_size(large_size if size == 0xFFFFFFFF and large_size else size, len(data) - at)
            return


def _chunks(data: bytes, start: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, size and place of the content of each chunk; odd ones are followed by a gap."""
    order: Literal["big", "little"] = "big" if data.startswith(b"FORM", start) else "little"
    at = start + 12
    for _ in range(_MOST_CHUNKS):
        if at + 8 > len(data):
            return
        size = int.from_bytes(data[at + 4 : at + 8], order)
        yield data[at : at + 4], size, at + 8
        at += 8 + size + size % 2


def _check_size(promised_bytes: int, found_bytes: int) -> None:
    missing_bytes = promised_bytes - found_bytes
    if promised_bytes in _UNKNOWN_SIZES:
        return
    if missing_bytes > min(_MISCOUNTED_BYTES, promised_bytes // 10):
        raise InvalidAudio(
            f"The sound is cut short: it says that it holds {promised_bytes:,} bytes of samples, "
            f"but only {found_bytes:,} of them are there."
        )
