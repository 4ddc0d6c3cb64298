"""Request bodies: raw bytes or multipart files, within limits, never on disk."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from service.contract.errors import InputError, InvalidParameter, TooLarge

# Most clients read no answer before they have sent everything, so a body that is too large
# is read and thrown away, as far as these go; who sends more sees the connection close.
_DRAIN_BYTES = 1024**3
_DRAIN_S = 20.0


@dataclass(frozen=True)
class BodyLimits:
    """What a request may carry."""

    max_body_bytes: int
    max_files: int


async def read_files(request: Request, limits: BodyLimits) -> list[bytes]:
    """Return the files of the request: a raw body is one, else the parts called `file`.

    Raises: TooLarge; InputError if a multipart body is malformed; InvalidParameter
        if it has no part called `file`.
    """
    body = _Body(request, limits.max_body_bytes)
    try:
        body.check_announced_size()
        if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            return await _multipart_files(request, body, limits)
        return [b"".join([chunk async for chunk in body.stream()])]
    except InputError:
        await body.drain()
        raise


class _Body:
    """The body of one request, counted as it streams in."""

    def __init__(self, request: Request, max_bytes: int) -> None:
        self._headers = request.headers
        self._chunks: AsyncIterator[bytes] = request.stream()
        self._max_bytes = max_bytes
        self._received_bytes = 0

    def check_announced_size(self) -> None:
        announced = self._headers.get("content-length", "")
        if announced.isdigit() and int(announced) > self._max_bytes:
            raise self._too_large(f"The body has {int(announced):,} bytes")

    async def stream(self) -> AsyncGenerator[bytes, None]:
        async for chunk in self._chunks:
            self._received_bytes += len(chunk)
            if self._received_bytes > self._max_bytes:
                raise self._too_large("The body goes on and on")
            yield chunk

    async def drain(self) -> None:
        """Read and forget what is still coming, unless the client waits for leave to send it."""
        if self._headers.get("expect", "").lower() == "100-continue" and not self._received_bytes:
            return
        with suppress(ClientDisconnect, TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                async for chunk in self._chunks:
                    self._received_bytes += len(chunk)
                    if self._received_bytes > _DRAIN_BYTES:
                        return

    def _too_large(self, what: str) -> TooLarge:
        return TooLarge(f"{what}; at most {self._max_bytes:,} bytes are accepted.")


class _Parser(MultiPartParser):
    """A multipart parser that keeps files in memory and misses the end if there is none.

    The body is bounded anyway, and the file system may be read-only.
    """

    def __init__(self, request: Request, body: _Body, limits: BodyLimits) -> None:
        stream = self._to_the_end(body.stream())
        super().__init__(request.headers, stream, max_files=limits.max_files)
        self.spool_max_size = limits.max_body_bytes
        self._complete = False

    def on_end(self) -> None:
        self._complete = True

    async def _to_the_end(self, stream: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        async for chunk in stream:
            yield chunk
        if not self._complete:
            raise MultiPartException("It ends before its last boundary.")


async def _multipart_files(request: Request, body: _Body, limits: BodyLimits) -> list[bytes]:
    try:
        form = await _Parser(request, body, limits).parse()
    except MultiPartException as error:
        if error.message.startswith("Too many files"):
            raise TooLarge(f"At most {limits.max_files} files are taken at once.") from error
        raise InputError(f"The multipart body is malformed. {error.message}") from error
    try:
        return [await part.read() for part in _file_parts(form)]
    finally:
        await form.close()


def _file_parts(form: FormData) -> list[UploadFile]:
    parts = [part for part in form.getlist("file") if isinstance(part, UploadFile)]
    if not parts:
        raise InvalidParameter(
            "The multipart body has no file in a part called 'file'; "
            "with curl that is -F file=@picture.jpg."
        )
    return parts
