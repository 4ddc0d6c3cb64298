"""Things that are costly to make: made when first wanted, once, and then kept."""

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Use(NamedTuple):
    """What is held now, and what it weighs; how often a value was asked for, and made."""

    held: int
    weight: float
    asked: int
    made: int


class Kept(Generic[K, T]):
    """Values made by key, of which the `most` recently used ones are kept.

    make: called without a lock held, and once however many threads wait for the key.
        If it raises, all who waited get the error and the next one tries again.
    weigh: tells what a value weighs.
    most_weight: of all that are kept together; a value that is heavier by itself is kept alone.
    """

    def __init__(
        self,
        make: Callable[[K], T],
        most: int,
        weigh: Callable[[T], float] = lambda _: 0,
        most_weight: float = math.inf,
    ) -> None:
        self._make = make
        self._most = most
        self._weigh = weigh
        self._most_weight = most_weight
        self._lock = Lock()
        self._values: OrderedDict[K, Future[T]] = OrderedDict()
        self._weights: dict[K, float] = {}  # of those that are made
        self._asked = self._made = 0

    def __call__(self, key: K) -> T:
        """Return the value of the key, making it if it is not there."""
        with self._lock:
            self._asked += 1
            future = self._values.get(key)
            if wanted := future is None:
                self._made += 1
                future = self._values[key] = Future()
            self._values.move_to_end(key)
            self._let_go()
        if wanted:
            self._fill(key, future)
        return future.result()

    @property
    def use(self) -> Use:
        """How it is used."""
        with self._lock:
            weight = sum(self._weights.values())
            return Use(len(self._weights), weight, self._asked, self._made)

    def _fill(self, key: K, future: Future[T]) -> None:
        try:
            value = self._make(key)
        except BaseException as error:
            with self._lock:
                if self._values.get(key) is future:
                    del self._values[key]
            future.set_exception(error)
            return
        with self._lock:
            if self._values.get(key) is future:
                self._weights[key] = self._weigh(value)
                self._let_go()
        future.set_result(value)

    def _let_go(self) -> None:
        """Forget what was used longest ago, until what is left may be kept."""
        while len(self._values) > self._most or (
            len(self._values) > 1 and sum(self._weights.values()) > self._most_weight
        ):
            key, _ = self._values.popitem(last=False)
            self._weights.pop(key, None)


class Once(Generic[T]):
    """One value, made when it is first wanted."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._kept: Kept[str, T] = Kept(lambda _: make(), most=1)

    def __call__(self) -> T:
        """Return the value."""
        return self._kept("")
