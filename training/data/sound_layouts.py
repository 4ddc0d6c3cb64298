"""Reads data sets of sounds in the layouts that people have: folders, and folders with a table."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service.codecs.sound import SOUND_SUFFIXES, SoundLimits, decode_sound
from service.contract.errors import InputError
from training.data.layouts import SPLIT_FOLDERS, InvalidData
from training.data.sounds import Sounds, Waveform

TABLE_NAME = "metadata.csv"
EXCLUDED = "excluded"  # in the column `split`: sounds that belong to no split
LIMITS = SoundLimits()


@dataclass(frozen=True)
class SoundTable:
    """All sounds of a data set, and what is told of each of them.

    columns: by name, a text for every sound; `split`, if there, has values of SPLIT_FOLDERS.
    """

    name: str
    classes: tuple[str, ...]
    sounds: Sounds
    columns: Mapping[str, Sequence[str]]


def load_sounds(path: Path) -> SoundTable:
    """Return the data set in the folder `path`, whose layout is recognised by what lies there.

    Table: `metadata.csv` with a column `file`, whose folder's name is the class. Rows whose
        `split` is `excluded` are left out. In a column whose name ends in `group`, equal texts
        tell of sounds that must not be parted.
    Split folders: `train/CLASS/*.wav`, with `val/` and `test/` beside it if there are.
    Plain folder: `CLASS/*.wav`.
    Raises: InvalidData naming what is missing or broken.
    """
    if not path.is_dir():
        raise InvalidData(f"{path}: there is no such folder")
    if (path / TABLE_NAME).is_file():
        return _table(path, *read_table(path))
    if (path / "train").is_dir():
        roots = {name: path / name for name in SPLIT_FOLDERS if (path / name).is_dir()}
        files = {name: _sounds_below(root) for name, root in roots.items()}
        split = [name for name, found in files.items() for _ in found]
        return _table(path, [f for found in files.values() for f in found], {"split": split})
    return _table(path, _sounds_below(path), {})


def _sounds_below(folder: Path) -> list[Path]:
    """Return the sounds in the folders of `folder`, by class; hidden files are no sounds."""
    return sorted(
        file
        for file in folder.glob("*/*")
        if file.suffix.lower() in SOUND_SUFFIXES
        and not file.name.startswith(".")
        and not file.parent.name.startswith(".")
    )


def read_table(path: Path) -> tuple[list[Path], dict[str, list[str]]]:
    """Return the files that the table in the folder names, and its other columns by their heads.

    Raises: InvalidData if it is broken or names none.
    """
    try:
        with (path / TABLE_NAME).open(newline="", encoding="utf-8") as stream:
            rows = [row for row in csv.DictReader(stream) if row.get("split") != EXCLUDED]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidData(f"{path / TABLE_NAME}: {error}") from error
    if not rows or not rows[0].get("file"):
        raise InvalidData(f"{path / TABLE_NAME}: has no sounds in a column 'file'")
    if any(None in row or None in row.values() for row in rows):
        raise InvalidData(f"{path / TABLE_NAME}: its rows have different lengths")
    columns = {name: [row[name] for row in rows] for name in rows[0] if name != "file"}
    return [path / row["file"] for row in rows], columns


def reader_of(files: Sequence[Path]) -> Callable[[int, int], Waveform]:
    """Return what decodes file i at a rate in hertz; it raises InvalidData if it cannot."""

    def read(i: int, sample_rate_hz: int) -> Waveform:
        try:
            return decode_sound(files[i].read_bytes(), sample_rate_hz, LIMITS)
        except (InputError, OSError) as error:
            raise InvalidData(f"{files[i]}: {error}") from error

    return read


def _table(path: Path, files: list[Path], columns: Mapping[str, Sequence[str]]) -> SoundTable:
    classes = sorted({file.parent.name for file in files})
    if len(classes) < 2:
        raise InvalidData(
            f"{path}: expected a folder of sounds for each of at least two classes, "
            f"found {classes or 'none'}"
        )
    unknown = sorted(set(columns.get("split", ())) - set(SPLIT_FOLDERS))
    if unknown:
        raise InvalidData(f"{path}: no split {unknown[0]!r}; there are {', '.join(SPLIT_FOLDERS)}")
    labels = np.array([classes.index(file.parent.name) for file in files], np.int64)
    names = [file.relative_to(path).as_posix() for file in files]
    groups = next((columns[name] for name in columns if name.endswith("group")), None)
    sounds = Sounds(reader_of(files), labels, names, groups)
    return SoundTable(path.resolve().name, tuple(classes), sounds, columns)
