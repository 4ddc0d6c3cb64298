"""Looks after everything that could wait for ever, so that nothing needs a timer of its own."""

import asyncio
from typing import Protocol


class Visited(Protocol):
    """Something that knows when its time is over."""

    def visit(self, now: float) -> None:
        """End what has taken too long; `now` is the event loop's time."""


class Rounds:
    """Visits each of its places every `period_s` seconds; without any it rests."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._places: set[Visited] = set()
        self._next: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._places)

    def add(self, place: Visited) -> None:
        """Visit it from now on."""
        self._places.add(place)
        if self._next is None:
            self._set_out_later()

    def discard(self, place: Visited) -> None:
        """Visit it no more."""
        self._places.discard(place)

    def _set_out_later(self) -> None:
        self._next = asyncio.get_running_loop().call_later(self._period_s, self._set_out)

    def _set_out(self) -> None:
        self._next = None
        if self._places:
            self._set_out_later()  # first, lest one that fails is the end of it for all
        now = asyncio.get_running_loop().time()
        for place in list(self._places):
            place.visit(now)
