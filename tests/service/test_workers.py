import asyncio
import threading

import pytest

from service.workers import Workers


def test_work_beyond_the_threads_waits_its_turn() -> None:
    """With one thread a second piece of work starts when the first has ended, and says so."""
    release, running = threading.Event(), threading.Event()

    def first() -> str:
        running.set()
        release.wait()
        return "first"

    async def both() -> tuple[tuple[str, float], tuple[str, float]]:
        workers = Workers(threads=1)
        one = asyncio.create_task(workers.run(first))
        two = asyncio.create_task(workers.run(lambda: "second"))
        await asyncio.to_thread(running.wait)
        assert not two.done()
        release.set()
        answers = await one, await two
        workers.close()
        return answers

    (one, _), (two, waited_ms) = asyncio.run(both())
    assert (one, two) == ("first", "second")
    assert waited_ms > 0


def test_error_of_the_work_comes_back() -> None:
    """What the work raises is raised where it was asked for."""

    def fail() -> None:
        raise ValueError("no")

    async def run() -> None:
        workers = Workers(threads=1)
        with pytest.raises(ValueError, match="no"):
            await workers.run(fail)
        workers.close()

    asyncio.run(run())
