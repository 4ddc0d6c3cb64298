"""When requests are sent: one after the other, or at times that do not depend on the answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from math import inf

from service.load.alarm import alarm
from service.load.schedule import poisson

# Does something that was due at that time of `time.perf_counter`.
Act = Callable[[float], Awaitable[object]]


async def closed_loop(concurrency: int, seconds: float, act: Act) -> None:
    """Have so many act again and again until the time is over."""
    end = time.perf_counter() + seconds

    async def caller() -> None:
        while (now := time.perf_counter()) < end:
            await act(now)

    async with asyncio.TaskGroup() as callers:
        for _ in range(concurrency):
            callers.create_task(caller())


async def open_loop(rate: float, seconds: float, act: Act, seed: int = 0) -> None:
    """Act so often a second, at Poisson's times; return when all that was begun is over."""
    begin = time.perf_counter()
    arrivals = poisson(rate, begin, begin + seconds, seed)
    async with asyncio.TaskGroup() as acts:
        due = next(arrivals, inf)

        def ring() -> None:
            nonlocal due
            while due <= time.perf_counter():
                acts.create_task(_told(act, due))
                due = next(arrivals, inf)
            if due < inf:
                clock.set(due)

        clock = alarm(ring)
        try:
            ring()
            await asyncio.sleep(begin + seconds - time.perf_counter())
            ring()
        finally:
            clock.close()


async def _told(act: Act, due: float) -> None:
    await act(due)
