"""A file to bytes, without waiting for what may never come and without more than is allowed."""

import errno
import os
import stat

from service.contract.errors import TooLarge

# Opening a pipe that nobody writes to would wait for ever. Windows has no such flag.
_HOW = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_BLOCK_BYTES = 1024 * 1024


def read_file(path: str, most_bytes: int) -> bytes:
    """Return what is in the file.

    Raises: TooLarge above `most_bytes`, even if it grows meanwhile; OSError, also for pipes,
        devices and folders.
    """
    file = os.open(path, _HOW)
    try:
        found = os.fstat(file)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, "It is a folder that cannot be listed")
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "It is no file but a pipe, a socket or a device")
        return _read(file, found.st_size, most_bytes)
    finally:
        os.close(file)


def _read(file: int, size: int, most_bytes: int) -> bytes:
    content = os.read(file, size + 1) if size <= most_bytes else b""
    if len(content) == size:  # as nearly always: one byte more was asked for, and is not there
        return content
    parts, length = [content], len(content)
    while size <= most_bytes and length <= most_bytes:
        part = os.read(file, _BLOCK_BYTES)
        if not part:
            return b"".join(parts)
        parts.append(part)
        length += len(part)
    told = f"{max(size, length):,} bytes or more; at most {most_bytes:,} are read"
    raise TooLarge(f"The file has {told}: --max-file-bytes sets another limit.")
