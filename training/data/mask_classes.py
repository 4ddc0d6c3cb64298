"""What the values in mask files mean: the `classes.csv` of a data set."""

import csv
from dataclasses import dataclass
from pathlib import Path

from service.contract.manifest import MOST_CLASSES_OF_A_MASK, Color
from training.data.layouts import InvalidData
from training.data.warp import VOID

CLASSES_NAME = "classes.csv"
_COLUMNS = ("id", "name", "r", "g", "b")
_LARGEST_ID = 65_535  # of a 16-bit grayscale PNG


@dataclass(frozen=True)
class MaskClasses:
    """Classes in the order of the file; those to be ignored are no classes but VOID.

    labels, colors: of class index 0, 1, and so on.
    by_id, by_color: class index, or VOID, of each value and colour that masks may have.
    """

    labels: tuple[str, ...]
    colors: tuple[Color, ...]
    by_id: dict[int, int]
    by_color: dict[Color, int]


def read_classes(file: Path) -> MaskClasses:
    """Return the classes of a CSV file with the columns id, name, r, g, b and perhaps ignore.

    Ids are 0 to 65535 and need not follow on one another. A row with `ignore` 1 names a value
    that is neither learnt nor measured.
    Raises: InvalidData naming the line that is wrong.
    """
    labels: list[str] = []
    colors: list[Color] = []
    by_id: dict[int, int] = {}
    by_color: dict[Color, int] = {}
    for place, row in _rows(file):
        number, name, color, ignored = _parse(place, row)
        for what, is_taken in (
            (f"id {number}", number in by_id),
            (f"colour {color}", color in by_color),
            (f"name {name!r}", name in labels),
        ):
            if is_taken:
                raise InvalidData(f"{place}: another class has the {what} already")
        by_id[number] = by_color[color] = VOID if ignored else len(labels)
        if not ignored:
            labels.append(name)
            colors.append(color)
    if not 2 <= len(labels) <= MOST_CLASSES_OF_A_MASK:
        raise InvalidData(
            f"{file}: names {len(labels)} classes that are not ignored; "
            f"from 2 to {MOST_CLASSES_OF_A_MASK} can be learnt"
        )
    return MaskClasses(tuple(labels), tuple(colors), by_id, by_color)


def _rows(file: Path) -> list[tuple[str, dict[str, str]]]:
    """Return every row with the file and line that it stands on."""
    try:
        # a spreadsheet puts a byte order mark before the first column's name
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True)
            rows = [(f"{file}, line {reader.line_num}", row) for row in reader]
            missing = set(_COLUMNS) - set(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidData(f"{file}: cannot be read: {error}") from error
    if missing:
        raise InvalidData(f"{file}: lacks the columns {', '.join(sorted(missing))}")
    return rows


def _parse(place: str, row: dict[str, str]) -> tuple[int, str, Color, bool]:
    number = _whole(place, row, "id", _LARGEST_ID)
    name = (row["name"] or "").strip()
    if not name:
        raise InvalidData(f"{place}: the class has no name")
    red, green, blue = (_whole(place, row, channel, 255) for channel in "rgb")
    ignored = bool((row.get("ignore") or "").strip()) and _whole(place, row, "ignore", 1) == 1
    return number, name, (red, green, blue), ignored


def _whole(place: str, row: dict[str, str], column: str, largest: int) -> int:
    text = (row[column] or "").strip()
    if not text.isdecimal() or int(text) > largest:
        raise InvalidData(f"{place}: {column} is {text!r}, not a whole number up to {largest}")
    return int(text)
