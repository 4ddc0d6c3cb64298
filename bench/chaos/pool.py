"""Connections that are kept open from one request to the next."""

import asyncio
import time

from bench.chaos.connection import Connection, Lost, Reply, connect
from bench.chaos.ledger import Entry, Ledger
from bench.chaos.letter import Letter

# The server keeps an idle connection for 5 s; who is later than that may find it just closing.
_IDLE_S = 3.0
_MOST = 512


class Pool:
    """Sends letters to a server and notes in the ledger what becomes of them."""

    def __init__(self, port: int, ledger: Ledger) -> None:
        self.port = port
        self.ledger = ledger
        self._free: list[tuple[Connection, float]] = []
        # as of service.load: who finds all connections busy waits, and that counts
        self._room = asyncio.Semaphore(_MOST)

    async def exchange(self, letter: Letter, due: float) -> tuple[Entry, Reply | None]:
        """Send the letter; return its entry, and the answer if one came."""
        entry = self.ledger.post(letter, due)
        async with self._room:
            try:
                reply = await self._carry(letter, entry)
            except Lost as error:
                self.ledger.lost(entry, error)
                return entry, None
        return entry, reply

    def close(self) -> None:
        """Close all connections that carry nothing."""
        for connection, _ in self._free:
            self._part_with(connection)
        self._free.clear()

    async def _carry(self, letter: Letter, entry: Entry) -> Reply:
        connection = await connect(self.port) if letter.alone else await self._take()
        reply = await connection.ask(letter.request(entry.id))
        self.ledger.answered(entry, reply)
        if connection.open and not letter.alone:
            self._free.append((connection, time.perf_counter()))
        else:
            self._part_with(connection)
        return reply

    async def _take(self) -> Connection:
        while self._free:
            connection, since = self._free.pop()  # last in, first out: few are enough
            if connection.open and time.perf_counter() - since < _IDLE_S:
                return connection
            self._part_with(connection)
        return await connect(self.port)

    def _part_with(self, connection: Connection) -> None:
        self.ledger.unasked += connection.unasked
        connection.leave()
