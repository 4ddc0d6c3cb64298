"""`convscope predict --out`: any number of files, to results on disk."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

from service.api.segment_query import SegmentQuery
from service.commands.askers import Turns, asker_for
from service.commands.columns import table_for
from service.contract.errors import DeviceFault, SetupError
from service.settings import Settings
from service.sweep.asker import Answered, Share
from service.sweep.crew import Crew
from service.sweep.inputs import Finder, Inputs
from service.sweep.journal import Journal, Places
from service.sweep.progress import Progress
from service.sweep.tables import check_parquet, write_csv, write_parquet
from service.tasks.catalog import ServedModel
from service.wiring import runners_of, runs_on_cpu

# Exit codes; 128 and the signal's number if one ended it.
_SOME_FAILED, _NOT_BEGUN, _NOTHING, _STOPPED = 1, 2, 3, 4
# Files that a thread takes at once; handing them over costs as much for many as for few.
_FILES_AT_ONCE = 64


class NotBegun(click.ClickException):
    """What has to be put right before there can be any results."""

    exit_code = _NOT_BEGUN


@dataclass(frozen=True)
class Sweep:
    """What is asked, and where the answers go.

    save: of a segmenter of pictures, the folder for masks and overlays.
    """

    model: ServedModel
    inputs: Inputs
    out: Path
    top_k: int
    query: SegmentQuery
    save: Path | None
    restart: bool
    quiet: bool
    max_file_bytes: int
    settings: Settings

    def run(self) -> NoReturn:
        """Answer every file; ends the command with the exit code."""
        try:
            places = Places(self.out)
            if places.kind == ".parquet":
                check_parquet()
            with Journal(places, self._asked(), self.restart) as journal:
                code = self._end(journal) if journal.finished else self._work(journal, places)
        except SetupError as error:
            raise NotBegun(str(error)) from error
        except OSError as error:
            named = error.filename or self.out
            raise NotBegun(f"{named} cannot be used: {error.strerror}.") from error
        raise SystemExit(code)

    def _work(self, journal: Journal, places: Places) -> int:
        """Answer what has no record yet; return the exit code."""
        own = [*places.all, *([self.save] if self.save else [])]
        finder, progress = Finder(self.inputs, own), self._progress(len(journal.seen), own)
        count = _Count(len(journal.seen), time.monotonic())
        try:
            with _stopped_by_signals() as (stop, heard):
                new = (path for path in finder.files() if journal.seen.add(path))
                for answered in self._crew(stop).answers(new):
                    journal.write(answered.lines)
                    count.add(answered)
                    progress.note(len(answered.lines), answered.failed)
            progress.close()
            if heard:
                return _stopped(f"Stopped by {heard[0].name}", count, 128 + heard[0])
            if not count.files:
                journal.forget()
                return self._say(f"There is nothing to answer.{_passed(finder)}", _NOTHING)
            journal.failed += count.failed
            self._write_table(journal, places)
            journal.finish(count.summary(journal.failed, finder))
        except OSError as error:
            progress.close()
            why = f"{error.filename or self.out}: {error.strerror}"
            return _stopped(why, count, _STOPPED)
        except (DeviceFault, SetupError) as error:
            progress.close()
            return _stopped(str(error).rstrip("."), count, _STOPPED)
        self._tell_speed(count, finder)
        return self._end(journal)

    def _crew(self, stop: threading.Event) -> Crew:
        turns, most = Turns(runs_on_cpu(self.model)), self.settings.max_batch_size
        asker = asker_for(self.model, turns, most, self.top_k, self.query, self.save)

        def answer(paths: list[str]) -> Answered:
            return Share(asker, paths, self.max_file_bytes).answer()

        share = asker.batch * -(-_FILES_AT_ONCE // asker.batch)
        return Crew(answer, runners_of(self.settings), share, stop)

    def _asked(self) -> dict[str, Any]:
        """Return what the results depend on."""
        manifest = self.model.manifest
        asked = {
            "model": manifest.name,
            "version": manifest.version,
            "sha256": manifest.graph.file.sha256,
            "paths": list(self.inputs.paths),
            "from_file": self.inputs.listing,
            "recursive": self.inputs.recursive,
            "folder": os.getcwd(),
            "top_k": self.top_k,
            **self.query.model_dump(include={"min_area", "tile", "resolution", "min_seconds"}),
            "save": self.save and str(self.save),
            "max_pixels": self.settings.max_pixels,
            "max_audio_seconds": self.settings.max_audio_seconds,
            "max_file_bytes": self.max_file_bytes,
        }
        return {name: _as_text(value) for name, value in asked.items()}

    def _progress(self, before: int, own: list[Path]) -> Progress:
        progress = Progress(None if self.quiet else sys.stderr, before)
        if not self.quiet and self.inputs.countable:
            progress.count(Finder(self.inputs, own).files())
        return progress

    def _write_table(self, journal: Journal, places: Places) -> None:
        if places.is_table:
            write = write_csv if places.kind == ".csv" else write_parquet
            write(table_for(self.model, self.top_k), journal.records(), places.draft)

    def _end(self, journal: Journal) -> int:
        """Tell how it ended, also if that was long ago; return the exit code."""
        found = journal.finished or {}
        told = f"{self.out}: {_number_of('file', found['files'])}, {found['answered']:,} answered"
        failed = found["failed"]
        return self._say(f"{told}, {failed:,} failed.", _SOME_FAILED if failed else 0)

    def _tell_speed(self, count: "_Count", finder: Finder) -> None:
        seconds = time.monotonic() - count.began
        before = f", {count.before:,} were answered before" if count.before else ""
        rate = count.new / max(seconds, 1e-9)
        told = f"{_number_of('file', count.new)} in {seconds:,.1f} s, {rate:,.1f} a second"
        self._say(f"{told}{before}.{_passed(finder)}", 0)

    def _say(self, what: str, code: int) -> int:
        if not self.quiet:
            click.echo(what, err=True)
        return code


@dataclass
class _Count:
    """before: files that had records when this process began."""

    before: int
    began: float
    new: int = 0
    failed: int = 0

    @property
    def files(self) -> int:
        return self.before + self.new

    def add(self, answered: Answered) -> None:
        self.new += len(answered.lines)
        self.failed += answered.failed

    def summary(self, failed: int, finder: Finder) -> dict[str, Any]:
        """Return what stays to be known of the run. failed: of all its files."""
        return {
            "files": self.files,
            "answered": self.files - failed,
            "failed": failed,
            "skipped": finder.skipped,
        }


def _stopped(why: str, count: _Count, code: int) -> int:
    """Tell how to go on, even those who want it quiet; return the exit code."""
    click.echo(f"{why}: {count.files:,} files are done. The same command goes on there.", err=True)
    return code


def _passed(finder: Finder) -> str:
    """Return what was found and left, as the end of a sentence's line."""
    found = ((finder.skipped, "file"), (finder.passed_by, "folder"))
    told = [_number_of(what, count) for count, what in found if count]
    return f" Passed over: {', '.join(told)}." if told else ""


def _number_of(what: str, count: int) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _as_text(value: Any) -> Any:
    """Return paths as JSON can have them, which knows no bytes."""
    if isinstance(value, list):
        return [_as_text(one) for one in value]
    return (
        os.fsencode(value).decode("utf-8", "backslashreplace") if isinstance(value, str) else value
    )


@contextmanager
def _stopped_by_signals() -> Iterator[tuple[threading.Event, list[signal.Signals]]]:
    """Give what is set by SIGINT and SIGTERM, and those that came; a second one ends at once."""
    stop, heard = threading.Event(), list[signal.Signals]()

    def hear(number: int, _: object) -> None:
        if heard:
            os._exit(128 + number)
        heard.append(signal.Signals(number))
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop, heard
        return
    # what the caller has us ignore, as shells do in the background, stays ignored
    wanted = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, hear) for number in wanted}
    try:
        yield stop, heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
