"""Request bodies: raw bytes or multipart files, within limits, never on disk."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from service.api.budget import ByteBudget, Share
from service.api.time_limit import TimeLimit
from service.contract.errors import InputError, InvalidParameter, Overloaded, SlowRequest, TooLarge

# Most clients read no answer before they have sent everything, so a body that is refused
# is read and thrown away, as far as these go; who sends more sees the connection close.
_DRAIN_BYTES = 1024**3
_DRAIN_S = 20.0


@dataclass(frozen=True)
class BodyLimits:
    """What a request may carry and how long that may take; what all together may hold."""

    max_body_bytes: int
    max_files: int
    body_timeout_s: float = 60
    budget: ByteBudget = field(default_factory=lambda: ByteBudget(256 * 1024**2))


async def read_files(request: Request, limits: BodyLimits) -> list[bytes]:
    """Return the files of the request: a raw body is one, else the parts called `file`.

    The bytes count against the budget as they come and until this task ends, which for
    a request is when it has been answered, because each has a task of its own.

    Raises: TooLarge; SlowRequest if the body takes too long to come; Overloaded if there is
        no room for it; InputError if a multipart body is malformed; InvalidParameter if it
        has no part called `file`.
    """
    form = request.headers.get("content-type", "").lower().startswith("multipart/form-data")
    return await _read(request, limits, _share_of_this_task(limits.budget), form)


async def read_raw(request: Request, limits: BodyLimits) -> tuple[bytes, Share]:
    """Return the body as it came, whatever it says it is, and what it holds of the budget.

    Raises: as `read_files`, but for what is wrong with forms.
    """
    share = _share_of_this_task(limits.budget)
    (body,) = await _read(request, limits, share, form=False)
    return body, share


async def _read(request: Request, limits: BodyLimits, share: Share, form: bool) -> list[bytes]:
    body = _Body(request, limits, share)
    try:
        body.check_announced_size()
        with TimeLimit(limits.body_timeout_s):
            if form:
                return await _multipart_files(request, body, limits)
            return [await body.read()]
    except TimeoutError:
        what = f"The body was not complete within {limits.body_timeout_s:g} s."
        raise SlowRequest(what) from None
    except (InputError, Overloaded):
        await body.drain()
        raise


def _share_of_this_task(budget: ByteBudget) -> Share:
    share, task = budget.share(), asyncio.current_task()
    assert task is not None  # coroutines run in one
    task.add_done_callback(lambda _: share.release())
    return share


async def read_one_file(request: Request, limits: BodyLimits) -> bytes:
    """Return the one picture or sound of the body; raises as `read_files`, and InvalidParameter."""
    files = await read_files(request, limits)
    if len(files) > 1:
        raise InvalidParameter(f"One file is looked into at a time, not {len(files)}.")
    return files[0]


class _Body:
    """The body of one request, counted as it comes in."""

    def __init__(self, request: Request, limits: BodyLimits, share: Share) -> None:
        self._headers = request.headers
        self._receive = request.receive
        self._max_bytes = limits.max_body_bytes
        self._share = share
        self._kept: list[bytes] = []
        self._received_bytes = 0
        self._complete = False

    def check_announced_size(self) -> None:
        announced = self._headers.get("content-length", "")
        if not announced.isdigit():
            return
        if int(announced) > self._max_bytes:
            raise self._too_large(f"The body has {int(announced):,} bytes")
        self._share.check_room(int(announced))

    async def read(self) -> bytes:
        """Return all of it."""
        while not self._complete:
            self._kept.append(await self._next())
        whole = b"".join(self._kept)
        self._kept.clear()
        return whole

    async def stream(self) -> AsyncGenerator[bytes, None]:
        while not self._complete:
            yield await self._next()

    async def drain(self) -> None:
        """Forget it and what is still coming, unless the client waits for leave to send it."""
        self._kept.clear()
        self._share.release()
        if self._headers.get("expect", "").lower() == "100-continue" and not self._received_bytes:
            return
        with suppress(ClientDisconnect, TimeoutError), TimeLimit(_DRAIN_S):
            while not self._complete and self._received_bytes <= _DRAIN_BYTES:
                await self._receive_chunk()

    async def _next(self) -> bytes:
        chunk = await self._receive_chunk()
        if self._received_bytes > self._max_bytes:
            raise self._too_large("The body goes on and on")
        self._share.reserve(len(chunk))
        return chunk

    async def _receive_chunk(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        self._complete = not message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        self._received_bytes += len(chunk)
        return chunk

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
            "with curl that is -F file=@picture.jpg or -F file=@sound.flac."
        )
    return parts
