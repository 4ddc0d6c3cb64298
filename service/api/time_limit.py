"""A limit on how long a task waits."""

import asyncio
from types import TracebackType


class TimeLimit:
    """What `asyncio.timeout` does, for half its cost, which every request pays.

    Raises: TimeoutError at its end, if what was waited for inside took longer.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._over = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # coroutines run in one
        self._task = task
        self._others = task.cancelling()
        self._timer = task.get_loop().call_later(self._seconds, self._expire)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._timer.cancel()
        # Who else cancels the task means it, even if our time is over as well.
        if self._over and self._task.uncancel() <= self._others and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _expire(self) -> None:
        self._over = True
        self._task.cancel()
