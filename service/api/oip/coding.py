"""Compressed requests and answers: gzip, and deflate, which is zlib's format (RFC 9110, 8.4.1)."""

import zlib
from collections.abc import Iterable
from functools import partial

from fastapi import Request

from service.api.body import read_raw
from service.api.patience import do
from service.api.state import State
from service.contract.errors import InputError, TooLarge, UnsupportedMedia

# As zlib wants to be told them.
_WINDOW_BITS = {"gzip": 31, "deflate": 15}
# A body so short is inflated while others wait, as far as this goes; else a runner inflates it,
# step by step. What is read is held to the same as what comes of it: a body can be long and made so
# that hardly anything does.
_SHORT_BYTES = 64 * 1024
_STEP_BYTES = 4 * 1024**2
_FASTEST = 1


async def read_decoded(request: Request, state: State) -> bytes:
    """Return the body, inflated if it was sent compressed.

    What it inflates to is held to the limits of bodies, and takes its share of the budget.
    Raises: as `read_raw`; UnsupportedMedia if it is compressed otherwise; InputError if it is
        broken; TooLarge.
    """
    body, share = await read_raw(request, state.body_limits)
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding == "identity":
        return body
    if coding not in _WINDOW_BITS:
        raise UnsupportedMedia(f"Bodies may be compressed as gzip or deflate, not {coding[:40]!r}.")
    inflater, total_bytes = _Inflater(body, coding), 0
    pieces: list[bytes] = []
    short = len(body) <= _SHORT_BYTES
    while not inflater.over:
        if short and not pieces:
            piece = inflater.step(_SHORT_BYTES)
        else:
            piece = await do(partial(inflater.step, _STEP_BYTES), request, state)
        total_bytes += len(piece)
        if total_bytes > state.body_limits.max_body_bytes:
            raise TooLarge(
                f"The body inflates to more than the {state.body_limits.max_body_bytes:,} bytes "
                "that are accepted."
            )
        share.reserve(len(piece))
        pieces.append(piece)
    return b"".join(pieces)


class _Inflater:
    """A compressed body on its way. over: whether all of it is inflated."""

    def __init__(self, body: bytes, coding: str) -> None:
        self._coding = coding
        self._stream = zlib.decompressobj(_WINDOW_BITS[coding])
        self._body = body
        self._read_bytes = 0

    @property
    def over(self) -> bool:
        return self._stream.eof

    def step(self, most_bytes: int) -> bytes:
        """Return so many bytes more at most, of as many that are read. Raises: InputError."""
        sent = memoryview(self._body)[self._read_bytes :][:most_bytes]
        try:
            piece = self._stream.decompress(sent, most_bytes)
        except zlib.error:
            raise InputError(f"The body is no {self._coding}, or is broken.") from None
        self._read_bytes += len(sent) - len(self._stream.unconsumed_tail)
        ended = self._read_bytes == len(self._body)
        if self.over and (self._stream.unused_data or not ended):
            raise InputError(f"The body goes on where its {self._coding} ends.")
        if not self.over and not piece and ended:
            raise InputError(f"The body ends before its {self._coding} does.")
        return piece


def coding_of(accept_encoding: str | None) -> str | None:
    """Return how the answer is to be compressed; None if not at all.

    Only who names one coding and nothing else asks for it. Most clients name all that they know
    with every request, and for tensors that costs more than it saves.
    """
    asked = (accept_encoding or "").strip().lower()
    return asked if asked in _WINDOW_BITS else None


def compressed(parts: Iterable[bytes | memoryview], coding: str) -> bytes:
    """Return the parts together, compressed."""
    stream = zlib.compressobj(_FASTEST, wbits=_WINDOW_BITS[coding])
    return b"".join([*map(stream.compress, parts), stream.flush()])
