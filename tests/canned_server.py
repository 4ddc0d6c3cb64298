"""A small HTTP server that answers as a test tells it to, badly too."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

TIMING = b'"timing":{"decode_ms":1.0,"queue_ms":2.0,"compute_ms":5.0,"total_ms":8.5,"batch_size":4}'
GOOD = b'{"predictions":[{"label":"timing"}],' + TIMING + b"}"


@dataclass(frozen=True)
class Request:
    """What came. head: lower-case names."""

    line: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass(frozen=True)
class Reply:
    """What goes out. pieces: written so many bytes at a time; close: nothing follows."""

    data: bytes
    close: bool = False
    piece_bytes: int = 1 << 20


Script = Callable[[Request], Awaitable[Reply]]


def http(body: bytes = GOOD, status: str = "200 OK", *headers: str) -> bytes:
    """Return a whole answer."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def always(data: bytes, close: bool = False, piece_bytes: int = 1 << 20) -> Script:
    """Return a script that answers everything alike."""

    async def script(_: Request) -> Reply:
        return Reply(data, close, piece_bytes)

    return script


class Gate:
    """A script that answers nobody before it is opened, from any thread."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._opened = threading.Event()
        self._reply = always(http())

    def open(self) -> None:
        self._opened.set()

    async def __call__(self, request: Request) -> Reply:
        self.reached.set()
        while not self._opened.is_set():
            await asyncio.sleep(0.001)
        return await self._reply(request)


class CannedServer:
    """Where it listens, and every request that came."""

    def __init__(self, script: Script) -> None:
        self.requests: list[Request] = []
        self.port = 0
        self._script = script
        self._loop: asyncio.AbstractEventLoop
        self._last: asyncio.StreamWriter
        self._connections = 0
        self._stopping = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def push(self, data: bytes) -> None:
        """Write what nobody asked for to the newest connection."""
        self._loop.call_soon_threadsafe(self._last.write, data)

    async def serve(self, listening: threading.Event, stop: asyncio.Event) -> None:
        server = await asyncio.start_server(self._on_connection, "127.0.0.1", 0)
        self._loop = asyncio.get_running_loop()
        self.port = server.sockets[0].getsockname()[1]
        listening.set()
        await stop.wait()
        self._stopping = True
        # Python 3.11 forgets a connection that comes in the turn in which its server is closed.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for task in self._tasks:
            task.cancel()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)
        server.close()
        await asyncio.sleep(0)  # closed transports are let go of one turn later

    async def _on_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._connections += 1
        self._last = writer
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        with suppress(asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            while not self._stopping and await self._answer(reader, writer, self._connections):
                pass
        writer.close()
        self._tasks.discard(task)

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int
    ) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *rest = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (pair.split(": ", 1) for pair in rest)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        request = Request(line, headers, body, connection)
        self.requests.append(request)
        reply = await self._script(request)
        for start in range(0, len(reply.data), reply.piece_bytes):
            writer.write(reply.data[start : start + reply.piece_bytes])
            await writer.drain()
            await asyncio.sleep(0)
        return not reply.close


@contextmanager
def serving(script: Script) -> Iterator[CannedServer]:
    """Run a server in a thread of its own."""
    server, listening = CannedServer(script), threading.Event()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    def work() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(server.serve(listening, stop))

    thread = threading.Thread(target=work)
    thread.start()
    listening.wait()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
