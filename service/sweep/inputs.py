"""The files of a sweep: named ones, and those that folders, patterns and lists lead to."""

import glob
import os
import sys
from codecs import BOM_UTF8
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from service.contract.errors import SetupError

_BLOCK_BYTES = 65_536
STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Inputs:
    """What a command was pointed at.

    paths: files, folders, and patterns such as `photos/**/*.jpg`.
    listing: a file with a path a line, or `-` for standard input.
    null: the paths in it end with a NUL, as `find -print0` writes them.
    recursive: whether folders are searched all the way down.
    suffixes: what is picked out of folders, by the end of its name; named files are always taken.
    """

    paths: Sequence[str]
    listing: str | None
    null: bool
    recursive: bool
    suffixes: Collection[str]

    @property
    def countable(self) -> bool:
        """Whether they can be gone through more than once."""
        if self.listing in (None, STANDARD_INPUT):
            return self.listing is None
        return os.path.isfile(self.listing or "")  # and no pipe

    def named(self) -> Iterator[str]:
        """Yield every path that was named. Raises: SetupError, OSError from the list."""
        yield from self.paths
        if self.listing == STANDARD_INPUT:
            yield from _listed(sys.stdin.buffer, b"\0" if self.null else b"\n")
        elif self.listing is not None:
            with open(self.listing, "rb") as file:
                yield from _listed(file, b"\0" if self.null else b"\n")


class Finder:
    """Goes through inputs in a steady order; of a folder, the names in it are held at once.

    Links to files are followed, those to folders are not, so that no link can lead in a circle.
    own: files, and folders with all below them, that the command itself writes.
    skipped: how many files in folders were of no kind that is taken.
    passed_by: how many folders were not searched: links, or all below a folder if not recursive.
    """

    def __init__(self, inputs: Inputs, own: Collection[Path] = ()) -> None:
        self.skipped = 0
        self.passed_by = 0
        self._inputs = inputs
        self._own = {os.path.realpath(path) for path in own}
        self._own_names = {os.path.basename(path) for path in self._own}

    def files(self) -> Iterator[str]:
        """Yield the path of every file, as it was named or behind its folder's name.

        A folder that cannot be listed is yielded too: reading it tells why, as for a file.
        """
        for name in self._inputs.named():
            path = str(Path(name))
            if os.path.isdir(path):
                yield from self._below(path)
            elif glob.has_magic(path) and not os.path.lexists(path):
                yield from self._matching(path)
            else:
                yield path

    def _matching(self, pattern: str) -> Iterator[str]:
        """Yield what a shell would have put in the pattern's place: itself if there is nothing."""
        for path in sorted(glob.glob(pattern, recursive=True)) or [pattern]:
            if os.path.isdir(path):
                yield from self._below(path.rstrip(os.sep) or os.sep)
            else:
                yield path

    def _below(self, folder: str) -> Iterator[str]:
        waiting = [self._entries(folder)]
        while waiting:
            path = next(waiting[-1], None)
            if path is None:
                waiting.pop()
            elif path.endswith(os.sep):
                waiting.append(self._entries(path[:-1]))
            else:
                yield path

    def _entries(self, folder: str) -> Iterator[str]:
        """Yield files and, with a separator at their end, folders; in order of their names."""
        try:
            with os.scandir(folder) as entries:
                names = [name for entry in entries if (name := self._wanted(entry))]
        except OSError:
            yield folder
            return
        for name in sorted(names):
            yield name if folder == os.curdir else os.path.join(folder, name)

    def _wanted(self, entry: "os.DirEntry[str]") -> str | None:
        """Return the entry's name, with a separator if it is a folder, or None to pass it by."""
        if entry.name in self._own_names and os.path.realpath(entry.path) in self._own:
            return None
        if _is_folder(entry):
            if self._inputs.recursive and not entry.is_symlink():
                return entry.name + os.sep
            self.passed_by += 1
            return None
        if os.path.splitext(entry.name)[1].lower() in self._inputs.suffixes:
            return entry.name
        self.skipped += 1
        return None


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that cannot be followed: reading it will tell why
        return False


def _listed(stream: BinaryIO, end: bytes) -> Iterator[str]:
    """Yield the paths in a list, each when it is there; empty lines are nothing."""
    for number, entry in enumerate(_split(stream, end)):
        if end == b"\n":  # of text, which on Windows has marks of its own
            entry = entry.removesuffix(b"\r")
            entry = entry.removeprefix(BOM_UTF8) if number == 0 else entry
        if entry:
            yield os.fsdecode(entry)


def _split(stream: BinaryIO, end: bytes) -> Iterator[bytes]:
    held, number = b"", 0
    while block := os.read(stream.fileno(), _BLOCK_BYTES):
        *whole, held = (held + block).split(end)
        yield from whole
        number += len(whole)
        if len(held) > _BLOCK_BYTES:
            raise SetupError(f"Entry {number + 1} of the list is too long to be a path.")
    yield held
