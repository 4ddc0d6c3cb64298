"""Threads for everything that blocks, so that the event loop never does."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")


class Workers:
    """A bounded number of threads; what finds none free waits its turn."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="convscope")

    async def run(self, work: Callable[[], T]) -> tuple[T, float]:
        """Return what `work` returned, and the ms that it waited for a free thread."""
        asked = perf_counter()

        def timed() -> tuple[T, float]:
            waited_ms = (perf_counter() - asked) * 1000
            return work(), waited_ms

        return await asyncio.get_running_loop().run_in_executor(self._pool, timed)

    def close(self) -> None:
        """Finish what is running, drop what still waits, and end the threads."""
        self._pool.shutdown(cancel_futures=True)
