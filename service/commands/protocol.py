"""HTTP/1.1 as uvicorn speaks it, with an end to everything that a peer could drag out.

By itself uvicorn waits for ever for the head of a request, for the rest of a body that nobody
wants, and for an answer to be read; httptools keeps a head of any size.
"""

import asyncio
from collections.abc import Sized
from dataclasses import dataclass
from typing import Any

import httptools
from fastapi import Response
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.api.problems import answer_to
from service.api.request_id import HEADER, give_request_id
from service.commands.rounds import Rounds
from service.commands.unread import Unread, cut_off
from service.contract.errors import (
    ConvscopeError,
    HeadTooLarge,
    InputError,
    Overloaded,
    SlowRequest,
)

# Requests that one connection may send ahead; the last of them is the last that it is answered.
_MOST_AHEAD = 64
# Who still sends while being refused would see a reset connection instead of the reason
# (RFC 9112, 9.6), so what comes is thrown away for a moment. Only so many of those who were
# one connection too many are waited for at once.
_FAREWELL_S = 1.0
_MOST_FAREWELLS = 64
# To take less than this within write_timeout_s is not reading.
_LEAST_READ_BYTES = 64 * 1024


@dataclass(frozen=True)
class PeerLimits:
    """What other machines may cost.

    max_unread_bytes: of answers that wait to be read, on all connections together.
    body_timeout_s: for a body that no route reads any more; those that do have their own limit.
    write_timeout_s: within which a peer must go on reading.
    """

    max_connections: int
    max_header_bytes: int
    max_unread_bytes: int
    header_timeout_s: float
    body_timeout_s: float
    write_timeout_s: float

    @property
    def visit_period_s(self) -> float:
        """Seconds between two visits to a connection, which may end as much too late."""
        return min(1.0, min(self.header_timeout_s, self.body_timeout_s, self.write_timeout_s) / 4)


def bounded_protocol(limits: PeerLimits) -> type["BoundedProtocol"]:
    """Return the protocol with these limits, made as uvicorn's setting `http` wants it."""
    shared = {
        "limits": limits,
        "rounds": Rounds(limits.visit_period_s),
        "unread": Unread(limits.max_unread_bytes),
    }
    return type("BoundedProtocol", (BoundedProtocol,), shared)


class BoundedProtocol(HttpToolsProtocol):
    """One connection.

    A request that is as it should be costs no timer and no task more than uvicorn's: what
    could take too long is looked at from time to time.
    """

    limits: PeerLimits
    rounds: Rounds
    unread: Unread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._held_bytes = 0  # came since the last head or piece of a body was complete
        self._deaf = False
        self._leaves_at: float | None = None
        self._owes_since: float | None = None
        self._owes_after: object = None
        self._unread_since: float | None = None
        self._unread_of: object = None
        self._unread_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport, self.pipeline)
        self._owes_since = self.loop.time()
        self.rounds.add(self)
        if len(self.connections) > self.limits.max_connections:
            self.connections.discard(self)
            self._refuse(Overloaded("Too many connections are open."))
            if len(self.rounds) - len(self.connections) > _MOST_FAREWELLS:
                transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.rounds.discard(self)
        self.unread.discard(self.transport)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._unset_keepalive_if_required()
        self._held_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._take_as_it_is(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            if not self._deaf:
                self._refuse(InputError("This is not HTTP/1.1."))
        else:
            if self._held_bytes > self.limits.max_header_bytes:
                self._refuse_head()

    def on_headers_complete(self) -> None:
        most = self.limits.max_header_bytes
        if self._held_bytes > most and _head_bytes(self.url, self.headers) > most:
            self._refuse_head()
            raise _Refused
        if len(self.pipeline) >= _MOST_AHEAD:
            self._refuse(Overloaded("Too many requests were sent ahead."))
            raise _Refused
        if self._is_upgrade():
            return
        self._held_bytes = 0
        super().on_headers_complete()
        # What follows the body would be added to the headers, of which some have been read.
        self.headers = []

    def on_body(self, body: bytes) -> None:
        self._held_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._is_upgrade():
            super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.unread.add(self.transport)

    def resume_writing(self) -> None:
        super().resume_writing()
        self.unread.discard(self.transport)
        self._unread_since = None

    def visit(self, now: float) -> None:
        """End the connection if its time is over."""
        if self._is_unread(now):
            cut_off(self.transport)  # closing it would wait until everything is sent
        elif self._leaves_at is not None:
            if now >= self._leaves_at:
                self.transport.close()
        elif self._is_late(now):
            if self._in_head:
                self._refuse(SlowRequest("The head of the request took too long to come."))
            else:
                self.transport.close()

    def _is_unread(self, now: float) -> bool:
        """Return whether the peer has not read on in its answer for too long."""
        unread = self.transport.get_write_buffer_size()
        if not unread:
            self._unread_since = None
            return False
        read_on = self._unread_bytes - unread >= _LEAST_READ_BYTES
        if self._unread_since is None or read_on or self._unread_of is not self.cycle:
            self._unread_since, self._unread_of, self._unread_bytes = now, self.cycle, unread
        return now - self._unread_since >= self.limits.write_timeout_s

    def _is_late(self, now: float) -> bool:
        """Return whether the peer owes the rest of what it began to send for too long.

        Who owes nothing and is only silent is uvicorn's to part with, by its own timer.
        """
        answered = self.cycle is None or self.cycle.response_complete
        if not answered or self.timeout_keep_alive_task or self.transport.is_closing():
            self._owes_since = None
            return False
        if self._owes_since is None or self._owes_after is not self.cycle:
            self._owes_since, self._owes_after = now, self.cycle
        return now - self._owes_since >= self._patience_s

    @property
    def _patience_s(self) -> float:
        in_body = self.cycle is not None and self.cycle.more_body and not self._in_head
        return self.limits.body_timeout_s if in_body else self.limits.header_timeout_s

    @property
    def _in_head(self) -> bool:
        """Whether a request has begun of which the head is not complete."""
        return self.scope is not None and "method" not in self.scope

    def _is_upgrade(self) -> bool:
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"

    def _take_as_it_is(self, rest: bytes) -> None:
        """Parse a request that asks for another protocol again, as if it did not.

        We speak no other, so it is to be answered as it is (RFC 9110, 7.8), but httptools takes
        its body for that protocol. Java's HttpClient asks so each time.
        rest: what came behind the head.
        """
        version = self.parser.get_http_version().encode()
        first = b"%s %s HTTP/%s\r\n" % (self.parser.get_method(), self.url, version)
        lines = [b"%s: %s\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self._held_bytes = 0
        self.data_received(b"".join([first, *lines, b"\r\n", rest]))

    def _refuse_head(self) -> None:
        most = self.limits.max_header_bytes
        self._refuse(HeadTooLarge(f"The head of the request has more than {most:,} bytes."))

    def _refuse(self, error: ConvscopeError) -> None:
        """Answer what is no request that the application could see, and listen no more."""
        self._deaf = True
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self._take_leave(error)
        elif not cycle.more_body:
            cycle.keep_alive = False  # it was sent before, so it is answered instead
        elif not cycle.response_started and not self.pipeline:
            # The body of this very request is wrong: the application must not answer as well.
            cycle.disconnected = True
            cycle.waiting_for_100_continue = False
            cycle.message_event.set()
            self._take_leave(error)
        else:
            self.transport.abort()

    def _take_leave(self, error: ConvscopeError) -> None:
        if self.transport.is_closing():
            return
        sent = self.scope["headers"] if self._in_head else []
        request_id = give_request_id({"headers": sent}).decode()
        answer = answer_to(error, request_id)
        answer.headers[HEADER] = request_id
        answer.headers["connection"] = "close"
        headers = [*self.server_state.default_headers, *answer.raw_headers]
        self.transport.write(_wire(answer, headers))
        self.transport.write_eof()
        self._leaves_at = self.loop.time() + _FAREWELL_S


class _Refused(Exception):
    """Makes the parser stop."""


class _Flow(FlowControl):
    """Reads no further while requests that came already wait for their turn."""

    def __init__(self, transport: asyncio.Transport, pipeline: Sized) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        if not self._pipeline:
            super().resume_reading()


def _head_bytes(url: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    return len(url) + sum(len(name) + len(value) + len(b": \r\n") for name, value in headers)


def _wire(answer: Response, headers: list[tuple[bytes, bytes]]) -> bytes:
    """Return the answer as it is sent."""
    lines = [b"%s: %s\r\n" % header for header in headers]
    return b"".join([STATUS_LINE[answer.status_code], *lines, b"\r\n", answer.body])
