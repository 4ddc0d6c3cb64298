"""Pictures, and things that only look like one."""

import io
import struct
import zlib

from PIL import Image


def flat(color: str, format: str = "JPEG", size: tuple[int, int] = (40, 30)) -> bytes:
    """Return an encoded picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, format=format)
    return buffer.getvalue()


def bomb(side: int = 30_000) -> bytes:
    """Return a valid black PNG of side x side pixels that is about 100 KB for 30,000."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    squeeze = zlib.compressobj(9)
    row = bytes(side // 8 + 1)
    data = b"".join([squeeze.compress(row) for _ in range(side)]) + squeeze.flush()
    chunks = [_chunk(b"IHDR", header), _chunk(b"IDAT", data), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def nothing_by_nothing() -> bytes:
    """Return a PNG of 0 x 0 pixels."""
    return bomb(0)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
