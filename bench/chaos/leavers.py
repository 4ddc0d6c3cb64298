"""Clients that go away: before they have asked, while they ask, while they are answered."""

import asyncio
import random
from contextlib import suppress

from bench.chaos.connection import Connection, Lost, connect
from bench.chaos.letter import Letter

# About as long as an answer takes, so that some go while they wait and some while they read.
_LONGEST_WAIT_S = 0.05


async def leave(port: int, letter: Letter, number: int, dice: random.Random) -> None:
    """Begin to ask, and leave at a point that chance decides, politely or not.

    letter: what it would have asked. number: makes its id, to be found in the server's log.
    """
    request = letter.request(f"leaver-{number}")
    head_bytes = request.index(b"\r\n\r\n") + 4
    with suppress(Lost):  # a server that is full may hang up first
        connection = await connect(port)
        match dice.choice(["silent", "in the head", "in the body", "waiting", "unread"]):
            case "silent":
                pass
            case "in the head":
                connection.write(request[: dice.randrange(1, head_bytes)])
            case "in the body":
                await _in_the_body(connection, request, head_bytes, dice)
            case "waiting":
                connection.write(request)
            case "unread":
                connection.read_no_more()
                connection.write(request)
        await asyncio.sleep(dice.random() * _LONGEST_WAIT_S)
        connection.leave(rudely=dice.random() < 0.5)


async def _in_the_body(
    connection: Connection, request: bytes, head_bytes: int, dice: random.Random
) -> None:
    end = dice.randrange(head_bytes, len(request)) if head_bytes < len(request) else head_bytes
    connection.write(request[:head_bytes])
    await asyncio.sleep(0)  # so that the server finds the head alone
    connection.write(request[head_bytes:end])
