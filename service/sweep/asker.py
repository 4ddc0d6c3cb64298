"""A share of the files to their records: read, prepared, run together, written out."""

from collections.abc import Hashable, Sequence
from time import perf_counter
from typing import Any, NamedTuple, Protocol

from service.contract.errors import DeviceFault, SetupError
from service.sweep.reading import read_file
from service.sweep.record import record_line, told_of


class Asker(Protocol):
    """What is asked of every file; its methods are called by several threads at once.

    batch: how many files run together at most.
    head: what every record begins with, behind its path.
    """

    batch: int
    head: dict[str, Any]

    def prepare(self, path: str, data: bytes) -> tuple[Hashable, Any]:
        """Return what the file may run together with, and what is to be run."""

    def run(self, items: Sequence[Any]) -> Sequence[Any]:
        """Return what the model says of each; all were prepared with one key."""

    def describe(self, item: Any, output: Any) -> dict[str, Any]:
        """Return the answer, ready to be written as JSON, but for its head."""


class Answered(NamedTuple):
    """Records of a share of the files, in their order.

    lines: a line each. failed: how many of them tell of errors. seconds: that it took.
    """

    lines: list[bytes]
    failed: int = 0
    seconds: float = 0.0


class Share:
    """Files that one thread answers. No error of a file gets beyond its record.

    Of the files no more than `asker.batch` of a kind are held decoded.
    """

    def __init__(self, asker: Asker, paths: Sequence[str], most_bytes: int) -> None:
        self._asker = asker
        self._paths = paths
        self._most_bytes = most_bytes
        self._lines = [b""] * len(paths)
        self._failed = 0

    def answer(self) -> Answered:
        """Return the records.

        Raises: DeviceFault; SetupError if answers cannot be saved: all else would fail as well.
        """
        started = perf_counter()
        waiting: dict[Hashable, list[tuple[int, Any]]] = {}
        for number, path in enumerate(self._paths):
            try:
                key, item = self._asker.prepare(path, read_file(path, self._most_bytes))
            except Exception as error:
                self._fail(number, error)
                continue
            group = waiting.setdefault(key, [])
            group.append((number, item))
            if len(group) == self._asker.batch:
                self._run(waiting.pop(key))
        for group in waiting.values():
            self._run(group)
        return Answered(self._lines, self._failed, perf_counter() - started)

    def _run(self, group: list[tuple[int, Any]]) -> None:
        try:
            outputs = self._asker.run([item for _, item in group])
        except DeviceFault:
            raise
        except Exception as error:
            if len(group) == 1:
                self._fail(group[0][0], error)
            else:  # only the guilty one is to fail
                for one in group:
                    self._run([one])
            return
        for (number, item), output in zip(group, outputs, strict=True):
            self._describe(number, item, output)

    def _describe(self, number: int, item: Any, output: Any) -> None:
        try:
            told = self._asker.head | self._asker.describe(item, output)
            self._lines[number] = record_line(self._paths[number], told)
        except SetupError:
            raise
        except Exception as error:
            self._fail(number, error)

    def _fail(self, number: int, error: Exception) -> None:
        told = self._asker.head | {"error": told_of(error)}
        self._lines[number] = record_line(self._paths[number], told)
        self._failed += 1
