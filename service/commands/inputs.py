"""The files that a command was pointed at."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import click

from service.codecs.image import SUFFIXES
from service.codecs.sound import SOUND_SUFFIXES, is_sound

# What is_sound wants to see.
_HEAD_BYTES = 4096
_SUFFIXES = {"pictures": SUFFIXES, "sounds": SOUND_SUFFIXES}


def input_files(
    paths: Iterable[Path], kinds: Collection[str], recursive: bool = True
) -> list[Path]:
    """Return the files, and of folders every file in them of these kinds, in order.

    kinds: of `pictures` and `sounds`. recursive: whether folders in folders are searched too.
    Raises: click.ClickException if there are none.
    """
    suffixes = {suffix for kind in kinds for suffix in _SUFFIXES[kind]}
    files = [file for path in paths for file in _in(path, suffixes, recursive)]
    if not files:
        wanted, places = " or ".join(kinds), ", ".join(map(str, paths))
        advice = "" if recursive else " Folders in them are searched with --recursive."
        raise click.ClickException(f"There are no {wanted} in {places}.{advice}")
    return files


def holds_sound(file: Path) -> bool:
    """Tell whether the file may be a sound: by its content, by its name if it cannot be read."""
    try:
        with file.open("rb") as stream:
            return is_sound(stream.read(_HEAD_BYTES))
    except OSError:
        return file.suffix.lower() in SOUND_SUFFIXES


def _in(path: Path, suffixes: Collection[str], recursive: bool) -> Iterator[Path]:
    if path.is_dir():
        found = path.rglob("*") if recursive else path.glob("*")
        yield from sorted(file for file in found if file.suffix.lower() in suffixes)
    else:
        yield path
