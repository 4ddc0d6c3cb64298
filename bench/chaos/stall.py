"""How long the loop that makes the load stood still: not the server's fault, but in its figures."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_EVERY_S = 0.01


class Stall:
    """longest_s: how much too late the loop woke, at worst."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(_EVERY_S)
            late_s = time.perf_counter() - before - _EVERY_S
            self.longest_s = max(self.longest_s, late_s)


@asynccontextmanager
async def stall_watched() -> AsyncIterator[Stall]:
    """Watch the running loop meanwhile."""
    stall = Stall()
    watching = asyncio.create_task(stall.watch())
    try:
        yield stall
    finally:
        watching.cancel()
