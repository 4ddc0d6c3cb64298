"""SIGTERM while requests are under way: what was accepted is answered, then the process ends."""

import asyncio
import random
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.chaos.benign import benign_groups
from bench.chaos.connection import Connection, Lost, connect
from bench.chaos.ledger import Entry, Ledger, told
from bench.chaos.letter import Letter
from bench.chaos.server import Server
from bench.chaos.verdict import Check

_CONCURRENCY = 16
_BEFORE_S = 1.5
_LONGEST_END_S = 40.0


@dataclass(frozen=True)
class Farewell:
    """How one server ended.

    told_at: `time.perf_counter` when it was sent SIGTERM.
    lost: requests that it had taken and never answered.
    not_taken: requests that came to connections which it had closed, or closed unread.
    ended_s: seconds from the signal to the end of the process.
    """

    ledger: Ledger
    told_at: float
    lost: Sequence[Entry]
    not_taken: Sequence[Entry]
    exit_code: int | None
    ended_s: float


async def say_farewell(server: Server, seed: int = 0) -> Farewell:
    """Have sixteen clients ask without a pause, end the server, and see what they are told."""
    clients = _Clients(server.port, seed)
    async with asyncio.TaskGroup() as together:
        for _ in range(_CONCURRENCY):
            together.create_task(clients.ask_until_refused())
        await asyncio.sleep(_BEFORE_S)
        told_at = time.perf_counter()
        server.process.send_signal(signal.SIGTERM)
        exit_code = await _end_of(server)
        ended_s = time.perf_counter() - told_at
        clients.over = True
    return Farewell(clients.ledger, told_at, clients.lost, clients.not_taken, exit_code, ended_s)


class _Clients:
    """Ask one thing after another, each on its connection, and sort what stays unanswered.

    A client cannot see what a server has read, but the kernel tells enough. A connection that
    is closed with bytes in it that nobody read is reset, so a reset means that the request was
    not taken. If the connection was closed before the request was written, the kernel knows it
    right after. What ends in any other way without an answer was taken and lost. (The server
    itself resets only who does not read its answer; these clients do.)
    Source: RFC 1122, 4.2.2.13; tcp_close() in Linux, net/ipv4/tcp.c.
    """

    def __init__(self, port: int, seed: int) -> None:
        self.ledger = Ledger(f"farewell{seed}")
        self.lost: list[Entry] = []
        self.not_taken: list[Entry] = []
        self.over = False
        self._port = port
        self._dice = random.Random(seed)
        self._letters = [letter for group in benign_groups() for letter in group.letters]

    async def ask_until_refused(self) -> None:
        """Ask until no connection can be had any more."""
        while not self.over:
            try:
                connection = await connect(self._port)
            except Lost:
                return  # nothing was sent
            while connection.open and not self.over:
                await self._ask(connection, self._dice.choice(self._letters))
            connection.leave()

    async def _ask(self, connection: Connection, letter: Letter) -> None:
        if connection.closed_by_peer:
            connection.leave()
            return
        entry = self.ledger.post(letter, time.perf_counter())
        reply = connection.send(letter.request(entry.id))
        too_late = connection.closed_by_peer
        try:
            self.ledger.answered(entry, await connection.wait(reply))
        except Lost as error:
            self.ledger.lost(entry, error)
            unread = not error.begun and (too_late or error.kind == "reset")
            (self.not_taken if unread else self.lost).append(entry)
            connection.leave()


async def _end_of(server: Server) -> int | None:
    """Return the exit code; None if the process does not end."""
    try:
        return await asyncio.to_thread(server.process.wait, _LONGEST_END_S)
    except subprocess.TimeoutExpired:
        return None


def check_farewells(farewells: Sequence[Farewell]) -> list[Check]:
    """Return the checks over several servers that ended."""
    phase = f"5 SIGTERM, {_CONCURRENCY} at once, {len(farewells)} times"
    lost = [entry for farewell in farewells for entry in farewell.lost]
    not_taken = [entry for farewell in farewells for entry in farewell.not_taken]
    late = [
        entry
        for farewell in farewells
        for entry in farewell.ledger.entries
        if entry.status and entry.done > farewell.told_at
    ]
    bad = [entry for entry in late if entry.status not in entry.letter.fine]
    not_once = [
        entry
        for farewell in farewells
        for entry in farewell.ledger.not_answered_once()
        if entry not in not_taken
    ]
    codes = [farewell.exit_code for farewell in farewells]
    slowest_s = max(farewell.ended_s for farewell in farewells)
    return [
        Check(phase, "taken and never answered", told(lost), "none", not lost),
        Check(
            phase, "answered after the signal", f"{len(late)}; wrongly: {told(bad)}", "", not bad
        ),
        Check(phase, "not answered exactly once", told(not_once), "none", not not_once),
        Check(phase, "came when it had closed", str(len(not_taken))),
        Check(phase, "exit codes", str(sorted(map(str, codes))), "0", set(codes) == {0}),
        Check(phase, "slowest end", f"{slowest_s:.1f} s"),
    ]
