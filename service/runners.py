"""Threads that work for every queue: whichever is free takes what is next."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

# Told whether nothing else is being worked on, so that the work may use every processor.
Work = Callable[[bool], None]


class Source(Protocol):
    """Something that runners take work from."""

    @property
    def pending(self) -> bool:
        """Whether something waits; read with the runners' lock held."""

    def take(self) -> Work | None:
        """Return the next piece of work, or None; called with the runners' lock held."""


class Runners:
    """A fixed number of threads. Sources with work are served in turn, so that none starves.

    lock: guards the runners and every source, so that taking work is one step.
    count: how many threads there are.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.lock = threading.Lock()
        self._wanted = threading.Condition(self.lock)
        self._sources: deque[Source] = deque()
        self._idle = 0
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"convscope-runner-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def busy(self) -> int:
        """How many threads are working now."""
        return self.count - self._idle

    def announce(self, source: Source) -> None:
        """Have the source looked at by a free thread, or by the next that is free; holds the lock.

        One thread is woken, and whoever takes work wakes another if there is more.
        """
        if source not in self._sources:
            self._sources.append(source)
        if self._idle:
            self._wanted.notify()

    def announce_own(self, source: Source) -> None:
        """The same from a runner that is about to look for work itself, so none need wake."""
        if source not in self._sources:
            self._sources.append(source)

    def close(self) -> None:
        """Let every thread finish what it has in hand, and end it."""
        with self.lock:
            self._closed = True
            self._wanted.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while True:
            with self.lock:
                work = self._next()
                while work is None:
                    if self._closed:
                        return
                    self._idle += 1
                    self._wanted.wait()
                    self._idle -= 1
                    work = self._next()
                if self._sources and self._idle:
                    self._wanted.notify()
                alone = self._idle == self.count - 1 and not self._sources
            work(alone)
            del work  # it holds the bodies of requests, and the next one may be long in coming

    def _next(self) -> Work | None:
        while self._sources:
            source = self._sources.popleft()
            work = source.take()
            if work is not None:
                if source.pending:
                    self._sources.append(source)
                return work
        return None
