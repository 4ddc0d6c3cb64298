"""The pictures that a command was pointed at."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from service.codecs.image import SUFFIXES


def picture_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files, and of folders every picture below them, in order.

    Raises: click.ClickException if there are none.
    """
    files = [file for path in paths for file in _below(path)]
    if not files:
        raise click.ClickException(f"There are no pictures in {', '.join(map(str, paths))}.")
    return files


def _below(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    else:
        yield path
