import asyncio

import pytest

from service.api.time_limit import TimeLimit


def test_what_takes_too_long_is_ended() -> None:
    """TimeoutError, and the task goes on as if it had never been cancelled."""

    async def main() -> int:
        with pytest.raises(TimeoutError), TimeLimit(0.01):
            await asyncio.Event().wait()
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    assert asyncio.run(main()) == 0


def test_what_is_in_time_is_left_alone() -> None:
    """Nothing happens, neither then nor later."""

    async def main() -> None:
        with TimeLimit(0.01):
            await asyncio.sleep(0)
        await asyncio.sleep(0.03)

    asyncio.run(main())


def test_errors_inside_stay_what_they_are() -> None:
    """Only the limit's own end is a TimeoutError."""

    async def main() -> None:
        with TimeLimit(1):
            await asyncio.sleep(0)
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        asyncio.run(main())


def test_who_else_cancels_the_task_means_it() -> None:
    """Cancelled from outside before the limit, the task ends as cancelled."""

    async def main() -> None:
        entered = asyncio.Event()

        async def work() -> None:
            with TimeLimit(10):
                entered.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_limits_nest() -> None:
    """The shorter one ends what is inside both; the longer one does not notice."""

    async def main() -> None:
        async with asyncio.timeout(10):
            with pytest.raises(TimeoutError), TimeLimit(0.01):
                await asyncio.Event().wait()
            await asyncio.sleep(0)

    asyncio.run(main())
