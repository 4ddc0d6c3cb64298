"""Threads that answer shares of the files side by side, and hand them back in the files' order."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from itertools import islice
from queue import Empty, Full, Queue
from threading import Event, Thread

from service.sweep.asker import Answered

# A share that takes longer keeps others waiting, and is lost whole if the process is killed.
_SHARE_S = 0.5
# Shares that may be ahead of the one that is to be written next, for each thread.
_AHEAD = 4
_TICK_S = 0.2

Answer = Callable[[list[str]], Answered]


class Crew:
    """Workers that take files from one iterator.

    answer: answers a share of the files. most: files in a share at most.
    stop: once it is set, no share is begun any more.
    """

    def __init__(self, answer: Answer, workers: int, most: int, stop: Event) -> None:
        self._answer = answer
        self._most = most
        self._stop = stop
        self._size = 1
        self._pool = ThreadPoolExecutor(workers, "convscope-sweep")
        # in the order of the files; None at their end, an error if they could not be found
        self._begun: Queue[Future[Answered] | Exception | None] = Queue(_AHEAD * workers)

    def answers(self, paths: Iterator[str]) -> Iterator[Answered]:
        """Yield what was answered, in order, and empty shares while that takes long.

        Raises: what `paths` and `answer` raise, behind all that came before it.
        """
        # It may wait for standard input, while there are answers to be written.
        Thread(target=self._feed, args=(paths,), name="convscope-files", daemon=True).start()
        try:
            while True:
                try:
                    begun = self._begun.get(timeout=_TICK_S)
                except Empty:
                    if self._stop.is_set():
                        return
                    yield Answered([])
                    continue
                if begun is None or (isinstance(begun, Future) and self._cancelled(begun)):
                    return
                if isinstance(begun, Exception):
                    raise begun
                yield from _result(begun)
        finally:
            self._stop.set()
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _cancelled(self, begun: Future[Answered]) -> bool:
        return self._stop.is_set() and begun.cancel()

    def _feed(self, paths: Iterator[str]) -> None:
        try:
            while not self._stop.is_set() and (share := list(islice(paths, self._size))):
                self._put(self._pool.submit(self._work, share))
            self._put(None)
        except Exception as error:  # a pool that was closed meanwhile is none: nobody waits then
            self._put(error)

    def _put(self, begun: Future[Answered] | Exception | None) -> None:
        while True:  # once in any case: it may have begun before all was stopped
            with suppress(Full):
                self._begun.put(begun, timeout=_TICK_S)
                return
            if self._stop.is_set():
                return

    def _work(self, share: list[str]) -> Answered:
        answered = self._answer(share)
        # From one on: few files are shared out as well as many, and slow ones one by one.
        in_time = int(_SHARE_S * len(share) / max(answered.seconds, 1e-6))
        self._size = max(1, min(2 * len(share), self._most, in_time))
        return answered


def _result(begun: Future[Answered]) -> Iterator[Answered]:
    while True:
        try:
            yield begun.result(_TICK_S)
            return
        except NotYet:
            if begun.done():
                raise  # it is the work's own
            yield Answered([])
