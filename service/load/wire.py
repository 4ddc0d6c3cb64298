"""One HTTP/1.1 connection, as cheap as Python allows: it runs on the machine that it measures."""

import asyncio
from typing import Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from service.load.failure import Failure, kind_of

_FRAMING = {b"content-length", b"transfer-encoding"}


class Owner(Protocol):
    """Who is told what becomes of a wire."""

    def on_answer(self, status: int, body: bytes, reusable: bool) -> None:
        """A whole answer is here; reusable: the server keeps the connection open."""

    def on_lost(self, kind: Failure) -> None:
        """There is no connection any more; what it carried will not be answered."""


class Wire(asyncio.Protocol):
    """A connection that carries one request at a time. Without an owner it tells nobody."""

    def __init__(self) -> None:
        self.owner: Owner | None = None
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._expecting = False
        self._forget()

    def _forget(self) -> None:
        self._chunks: list[bytes] = []
        self._headed = self._framed = self._complete = self._reusable = False

    def send(self, request: bytes) -> None:
        """Send a request whose answer will be told to the owner."""
        self._forget()
        self._expecting = True
        self._transport.write(request)

    @property
    def open(self) -> bool:
        """Whether something may be sent; of a loss the owner is told only a moment later."""
        return not self._transport.is_closing()

    def drop(self) -> None:
        """Close the connection at once and tell nobody."""
        self.owner = None
        self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's are of no common class

    def data_received(self, data: bytes) -> None:
        if self.owner is None:
            return
        if not self._expecting:
            # Nobody asked, and what follows could not be told from the next answer.
            self._lose("closed")
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._lose("malformed")
            return
        if self._complete:
            self._answer()

    def connection_lost(self, error: Exception | None) -> None:
        # An answer that announced no length ends where the connection ends.
        if self._headed and not self._framed and error is None:
            self._answer()
        else:
            self._lose(kind_of(error) if isinstance(error, OSError) else "closed")

    # What the parser calls. Interim answers, such as 100 Continue, are passed over.

    def on_message_begin(self) -> None:
        if self._complete:
            raise ValueError("a second answer to one request")
        self._framed = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() in _FRAMING:
            self._framed = True

    def on_headers_complete(self) -> None:
        self._headed = self._parser.get_status_code() >= 200

    def on_body(self, chunk: bytes) -> None:
        self._chunks.append(chunk)

    def on_message_complete(self) -> None:
        self._complete = self._headed
        self._reusable = self._parser.should_keep_alive()

    # What the owner is told.

    def _answer(self) -> None:
        self._expecting = self._headed = False
        if self.owner:
            status = self._parser.get_status_code()
            self.owner.on_answer(status, b"".join(self._chunks), self._reusable)

    def _lose(self, kind: Failure) -> None:
        owner = self.owner
        self.drop()
        if owner:
            owner.on_lost(kind)
