"""One connection to the server; its answers are told with their headers."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterable
from typing import NamedTuple

from service.load.failure import Failure, kind_of
from service.load.wire import Wire

HOST = "127.0.0.1"
# More than the server's own patience with an answer (30 s): who waits longer is forgotten.
PATIENCE_S = 45.0
_ESTABLISHED = 1  # state in struct tcp_info; Linux, include/net/tcp_states.h
_RESET_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER for no seconds: close() sends a RST


class Reply(NamedTuple):
    """A whole answer. headers: with names in lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Lost(Exception):
    """A request will not be answered. begun: a part of the answer had come."""

    def __init__(self, kind: Failure, begun: bool = False) -> None:
        self.kind = kind
        self.begun = begun
        super().__init__(kind)


class _Wire(Wire):
    """A wire that keeps headers, feels when the peer takes no more, and tells what is unasked."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: dict[bytes, bytes] = {}
        self.begun = False
        self.unasked = False
        self.writable = asyncio.Event()
        self.writable.set()

    @property
    def transport(self) -> asyncio.Transport:
        return self._transport

    def data_received(self, data: bytes) -> None:
        self.begun = True
        self.unasked |= self.owner is not None and not self._expecting
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self.headers[name.lower()] = value

    def connection_lost(self, error: Exception | None) -> None:
        self.writable.set()  # or who waits to write on would wait for ever
        super().connection_lost(error)

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()


class Connection:
    """Carries one request at a time. Made by `connect`."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire
        self._reply: asyncio.Future[Reply] | None = None
        wire.owner = self

    @property
    def open(self) -> bool:
        """Whether a request may be sent."""
        return self._wire.owner is not None and self._wire.open

    @property
    def unasked(self) -> bool:
        """Whether bytes came that answer nothing."""
        return self._wire.unasked

    @property
    def closed_by_peer(self) -> bool:
        """Whether the kernel knows already that the peer closed; for asyncio's own transports."""
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        return info[0] != _ESTABLISHED

    def send(self, request: bytes) -> asyncio.Future[Reply]:
        """Send a request; the future raises Lost if no answer can come any more."""
        self._reply = asyncio.get_running_loop().create_future()
        self._wire.begun = False
        self._wire.send(request)
        return self._reply

    async def ask(self, request: bytes, timeout_s: float = PATIENCE_S) -> Reply:
        """Send a request and return its answer. Raises: Lost."""
        return await self.wait(self.send(request), timeout_s)

    async def ask_in_pieces(self, head: bytes, body: AsyncIterable[bytes]) -> Reply:
        """The same for a body that is sent as fast as the server takes it."""
        reply = self.send(head)
        async for piece in body:
            if reply.done():
                break
            self.write(piece)
            await self._wire.writable.wait()
        return await self.wait(reply)

    async def wait(self, reply: asyncio.Future[Reply], timeout_s: float = PATIENCE_S) -> Reply:
        """Return the answer to what was sent. Raises: Lost."""
        try:
            async with asyncio.timeout(timeout_s):
                return await reply
        except TimeoutError:
            raise Lost("timeout", self._wire.begun) from None
        finally:
            if not reply.done() or reply.cancelled():
                self.leave()

    def write(self, data: bytes) -> None:
        """Send some bytes to which no answer is expected."""
        if self._wire.open:
            self._wire.transport.write(data)

    def read_no_more(self) -> None:
        """Let everything that comes from now on pile up."""
        self._wire.transport.pause_reading()

    def leave(self, rudely: bool = False) -> None:
        """Close the connection at once; rudely with a RST, as a machine that was reset does."""
        if rudely and self._wire.open:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_ONCE)
        self._wire.drop()

    @property
    def _socket(self) -> socket.socket:
        found: socket.socket = self._wire.transport.get_extra_info("socket")
        return found

    # What the wire calls.

    def on_answer(self, status: int, body: bytes, reusable: bool) -> None:
        if not reusable:
            self._wire.drop()
        if self._reply and not self._reply.done():
            self._reply.set_result(Reply(status, self._wire.headers, body))

    def on_lost(self, kind: Failure) -> None:
        if self._reply and not self._reply.done():
            self._reply.set_exception(Lost(kind, self._wire.begun))


async def connect(port: int) -> Connection:
    """Return a new connection. Raises: Lost."""
    try:
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(_Wire, HOST, port)
    except OSError as error:
        raise Lost(kind_of(error)) from error
    return Connection(wire)
