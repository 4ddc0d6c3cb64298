import asyncio

import pytest

from service.api.turns import Turns
from service.contract.errors import DeadlineExceeded, Overloaded


def test_others_wait_and_too_many_are_refused() -> None:
    """One has its turn, one waits, the third hears at once that there is no room."""

    async def scene() -> list[str]:
        turns, leave = Turns(at_once=1, most_waiting=1), asyncio.Event()
        order: list[str] = []

        async def work(name: str) -> None:
            async with turns.taken(10):
                order.append(name)
                await leave.wait()

        tasks = [asyncio.create_task(work(name)) for name in ("first", "second")]
        for _ in range(3):
            await asyncio.sleep(0)
        assert order == ["first"]
        with pytest.raises(Overloaded) as refused:
            async with turns.taken(10):
                pass
        assert refused.value.retry_after_s >= 1
        leave.set()
        await asyncio.gather(*tasks)
        return order

    assert asyncio.run(scene()) == ["first", "second"]


def test_turn_that_comes_too_late_is_none() -> None:
    """Who waits longer than the answer is of use is told so, and leaves the queue."""

    async def scene() -> int:
        turns, late = Turns(at_once=1, most_waiting=1), 0
        async with turns.taken(10):
            for _ in range(3):
                try:
                    async with turns.taken(0.001):
                        pass
                except DeadlineExceeded:
                    late += 1
        async with turns.taken(10):
            return late

    assert asyncio.run(scene()) == 3
