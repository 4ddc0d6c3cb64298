"""Things that are costly to make: made when first wanted, once, and then kept."""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Values made by key, of which the `most` recently used ones are kept.

    make: called without a lock held, and once however many threads wait for the key.
        If it raises, all who waited get the error and the next one tries again.
    """

    def __init__(self, make: Callable[[str], T], most: int) -> None:
        self._make = make
        self._most = most
        self._lock = Lock()
        self._values: OrderedDict[str, Future[T]] = OrderedDict()

    def __call__(self, key: str) -> T:
        """Return the value of the key, making it if it is not there."""
        with self._lock:
            future = self._values.get(key)
            if wanted := future is None:
                future = self._values[key] = Future()
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        if wanted:
            self._fill(key, future)
        return future.result()

    def _fill(self, key: str, future: Future[T]) -> None:
        try:
            future.set_result(self._make(key))
        except BaseException as error:
            with self._lock:
                if self._values.get(key) is future:
                    del self._values[key]
            future.set_exception(error)


class Once(Generic[T]):
    """One value, made when it is first wanted."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._kept = Kept(lambda _: make(), most=1)

    def __call__(self) -> T:
        """Return the value."""
        return self._kept("")
