"""One request over a private socket, to another process of the same server."""

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


class Answer(NamedTuple):
    """What came back; status is 0 where nothing did."""

    status: int
    body: bytes


async def ask(
    place: Path, method: str, target: bytes, headers: Iterable[tuple[bytes, bytes]] = ()
) -> Answer:
    """Return what the process that listens at the place answers.

    Raises: OSError if nobody listens, or the answer ends in its middle.
    """
    reader, writer = await asyncio.open_unix_connection(str(place))
    try:
        first = b"%s %s HTTP/1.1" % (method.encode(), target)
        lines = [b"%s: %s" % header for header in headers]
        writer.write(
            b"\r\n".join([first, b"host: localhost", b"connection: close", *lines, b"\r\n"])
        )
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    length = _LENGTH.search(head)
    if length is None or int(length[1]) != len(body):
        raise ConnectionError("The answer is not complete.")
    return Answer(int(head.split(maxsplit=2)[1]), body)
