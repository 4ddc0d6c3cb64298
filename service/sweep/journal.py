"""What is done of a sweep, on disk, so that it goes on where it stopped, whatever stopped it.

For `results.csv` there are, beside it:

`results.csv.run`   a line of what the run is, and a second one as soon as it is finished. It is
                    locked while a process is at work, and stays, to tell what made the results.
`results.csv.part`  a record a line, in the order of the files. Of JSON lines it is the results.
`results.csv.tmp`   the results while they are made of the records, until they are complete.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from service.contract.errors import SetupError
from service.sweep.record import path_of
from service.sweep.seen import Seen

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# What a loss of power may cost. A process that dies loses nothing that was written.
_SYNC_S = 5.0
_ENDS = (".jsonl", ".csv", ".parquet")


class CannotGoOn(SetupError):
    """What is there is of another run, or another process is at work on it."""


@dataclass(frozen=True)
class Places:
    """Where a sweep writes. out: the results, whose name ends in .jsonl, .csv or .parquet."""

    out: Path

    def __post_init__(self) -> None:
        """Raises: SetupError for any other name."""
        if self.kind not in _ENDS:
            raise SetupError(f"{self.out}: results are written as {', '.join(_ENDS)} only.")

    @property
    def kind(self) -> str:
        """The end of its name."""
        return self.out.suffix.lower()

    @property
    def is_table(self) -> bool:
        """Whether they are made of the records at the end; JSON lines are the records."""
        return self.kind != ".jsonl"

    @property
    def run(self) -> Path:
        return self.out.with_name(self.out.name + ".run")

    @property
    def records(self) -> Path:
        return self.out.with_name(self.out.name + ".part") if self.is_table else self.out

    @property
    def draft(self) -> Path:
        return self.out.with_name(self.out.name + ".tmp")

    @property
    def all(self) -> tuple[Path, ...]:
        return self.out, self.run, self.records, self.draft


class Journal:
    """The records of one sweep; nobody else may write them meanwhile.

    seen: the paths that have a record. failed: how many of the records tell of errors.
    finished: the summary, if there is nothing left to do.
    """

    def __init__(self, places: Places, asked: Mapping[str, Any], restart: bool) -> None:
        """Begin, or take up what the same question left behind.

        asked: what the results depend on, as JSON has it.
        restart: whatever there is goes.
        Raises: CannotGoOn; OSError.
        """
        self.seen = Seen()
        self.failed = 0
        self.finished: dict[str, Any] | None = None
        self._places = places
        if not places.run.exists() and not restart:
            self._refuse_foreign()
        self._run = os.open(places.run, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._lock()
            self._take_up(asked, restart)
            # what is finished is only looked at
            how = os.O_RDONLY if self.finished else os.O_RDWR | os.O_CREAT | os.O_APPEND
            self._file = os.open(places.out if self.finished else places.records, how, 0o644)
        except BaseException:
            os.close(self._run)
            raise
        self._length = os.lseek(self._file, 0, os.SEEK_END)
        self._synced = time.monotonic()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            if not self.finished:
                os.fsync(self._file)
        os.close(self._file)
        os.close(self._run)

    def write(self, lines: list[bytes]) -> None:
        """Add records, all or none of them. Raises: OSError."""
        content = memoryview(b"".join(lines))
        try:
            done = 0
            while done < len(content):
                done += os.write(self._file, content[done:])
            if time.monotonic() > self._synced + _SYNC_S:
                os.fsync(self._file)
                self._synced = time.monotonic()
        except OSError:
            os.ftruncate(self._file, self._length)
            raise
        self._length += len(content)

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield every record."""
        with self._places.records.open("rb") as file:
            for line in file:
                yield orjson.loads(line)

    def finish(self, summary: dict[str, Any]) -> None:
        """Note that nothing is left to do; where there are results of another form, they are there.

        Raises: OSError.
        """
        os.fsync(self._file)
        if self._places.is_table:
            with self._places.draft.open("rb") as file:
                os.fsync(file.fileno())
            self._places.draft.replace(self._places.out)
        self._sync_folder()
        os.write(self._run, orjson.dumps({"finished": summary}, option=orjson.OPT_APPEND_NEWLINE))
        os.fsync(self._run)
        self.finished = summary
        self._clear()

    def forget(self) -> None:
        """Remove what was begun: there was nothing to do."""
        self._places.records.unlink(missing_ok=True)
        self._places.run.unlink(missing_ok=True)

    def _lock(self) -> None:
        if fcntl is None:
            return
        busy = CannotGoOn(f"Another process is at work on {self._places.out}.")
        try:
            fcntl.flock(self._run, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise busy from error
        if not os.fstat(self._run).st_nlink:  # it was, and took the file away
            raise busy

    def _refuse_foreign(self) -> None:
        for file in (self._places.out, self._places.records):
            if file.exists():
                raise _foreign(file)

    def _take_up(self, asked: Mapping[str, Any], restart: bool) -> None:
        with os.fdopen(os.dup(self._run), "rb") as file:
            lines = [line for line in file if line.endswith(b"\n")]
        try:
            begun, *rest = [orjson.loads(line) for line in lines] or [{}]
            before = begun.get("asked")
        except (ValueError, AttributeError) as error:
            raise _foreign(self._places.run) from error
        out = self._places.out
        if restart or (rest and not out.exists()):
            before = None
            self._places.records.unlink(missing_ok=True)
        elif before is None:
            self._refuse_foreign()
        if before is None:
            self._begin(asked)
            return
        _check_same(before, _as_read(asked), out)
        whole = sum(map(len, lines))
        if os.lseek(self._run, whole, os.SEEK_SET) < os.fstat(self._run).st_size:
            os.ftruncate(self._run, whole)
        if rest:
            self.finished = rest[0]["finished"]
            self._clear()
        else:
            self._read_records()

    def _begin(self, asked: Mapping[str, Any]) -> None:
        os.ftruncate(self._run, 0)
        os.lseek(self._run, 0, os.SEEK_SET)
        os.write(self._run, orjson.dumps({"asked": asked}, option=orjson.OPT_APPEND_NEWLINE))
        os.fsync(self._run)
        self._sync_folder()

    def _read_records(self) -> None:
        """Note what is done, and cut a last line off that was not written to its end."""
        if not self._places.records.exists():
            return
        whole = 0
        with self._places.records.open("r+b") as file:
            for number, line in enumerate(file):
                if not line.endswith(b"\n"):
                    file.truncate(whole)
                    break
                whole += len(line)
                self._note(line, number)

    def _note(self, line: bytes, number: int) -> None:
        try:
            record = orjson.loads(line)
            path = path_of(record)
        except (ValueError, KeyError, TypeError) as error:
            records = self._places.records
            raise CannotGoOn(
                f"Line {number + 1} of {records} is no record of this run: mend it, or begin anew "
                "with --restart."
            ) from error
        self.seen.add(path)
        self.failed += "error" in record

    def _clear(self) -> None:
        """Remove what is of no use any more when the results are there."""
        if self._places.is_table:
            self._places.draft.unlink(missing_ok=True)
            self._places.records.unlink(missing_ok=True)

    def _sync_folder(self) -> None:
        """Have the folder itself written, without which a new file may be nameless."""
        if sys.platform == "win32":
            return
        folder = os.open(self._places.out.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _as_read(asked: Mapping[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = orjson.loads(orjson.dumps(asked))
    return read


def _check_same(before: Mapping[str, Any], now: Mapping[str, Any], out: Path) -> None:
    changed = [
        f"{name} was {_shown(before.get(name))} and is {_shown(now.get(name))}"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    ]
    if changed:
        raise CannotGoOn(
            f"{out} was begun with something else: {'; '.join(changed)}. Name another file, or "
            "begin anew with --restart."
        )


def _shown(value: object) -> str:
    return "not given" if value is None else orjson.dumps(value).decode()


def _foreign(file: Path) -> CannotGoOn:
    return CannotGoOn(
        f"{file} is there already, and no run of this command left it: name another file, or "
        "replace it with --restart."
    )
