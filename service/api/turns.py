"""Whose turn it is to have work done that takes many steps."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil
from time import perf_counter

from service.contract.errors import DeadlineExceeded, Overloaded


class Turns:
    """Lets few have their work done at a time; others wait in order, and too many are refused.

    Without it all that are under way would advance together, and none be in time. Those that wait
    hold nothing but their file.
    at_once: how many. most_waiting: beside these.
    """

    def __init__(self, at_once: int, most_waiting: int) -> None:
        self._room = asyncio.Semaphore(at_once)
        self._at_once, self._most_waiting = at_once, most_waiting
        self._waiting = 0
        self._usual_s = 1.0

    @asynccontextmanager
    async def taken(self, limit_s: float) -> AsyncIterator[None]:
        """Wait for a turn, and have it while inside.

        Raises: Overloaded if too many wait; DeadlineExceeded if it does not come within limit_s.
        """
        if self._room.locked() and self._waiting >= self._most_waiting:
            expected_s = ceil(self._usual_s * (self._waiting + 1) / self._at_once)
            raise Overloaded(f"The queue is full: {self._waiting} items wait already.", expected_s)
        self._waiting += 1
        try:
            async with asyncio.timeout(limit_s):
                await self._room.acquire()
        except TimeoutError as error:
            raise DeadlineExceeded(
                "The answer could not be ready within the time that it was given."
            ) from error
        finally:
            self._waiting -= 1
        began = perf_counter()
        try:
            yield
        finally:
            self._room.release()
            # of a few, the last ones count most
            self._usual_s = (self._usual_s + perf_counter() - began) / 2
