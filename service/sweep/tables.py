"""Records to a table, a row a file: CSV, or Parquet with proper types."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

from service.contract.errors import SetupError

Type = Literal["text", "integer", "real"]
Record = dict[str, Any]
# Rows that are held at once, and stand together in Parquet.
_GROUP = 65_536


class Column(NamedTuple):
    """value: what the record says; for records that tell of errors it is never asked."""

    name: str
    type: Type
    value: Callable[[Record], Any]


class Table:
    """What the columns of a table are: the path, the answer, the model, and what went wrong."""

    def __init__(self, answer: Sequence[Column]) -> None:
        self._answer = answer
        self._last: tuple[Column, ...] = (
            Column("model", "text", lambda record: record["model"]["name"]),
            Column("version", "integer", lambda record: record["model"]["version"]),
            Column("error_type", "text", lambda record: record.get("error", {}).get("type")),
            Column("error_detail", "text", lambda record: record.get("error", {}).get("detail")),
        )

    @property
    def head(self) -> list[tuple[str, Type]]:
        """Names and types, in order."""
        columns = [*self._answer, *self._last]
        return [("path", "text"), *((column.name, column.type) for column in columns)]

    def row(self, record: Record) -> list[Any]:
        """Return the record's values; None for what it does not have."""
        failed = "error" in record
        answer = [None if failed else column.value(record) for column in self._answer]
        return [record["path"], *answer, *(column.value(record) for column in self._last)]


def check_parquet() -> None:
    """Raises: SetupError where Parquet cannot be written."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise SetupError(
            "Parquet needs the parquet extra: pip install 'convscope[parquet]' "
            f"({error.name or 'pyarrow'} is not installed)."
        ) from error


def write_csv(table: Table, records: Iterable[Record], file: Path) -> None:
    """Write UTF-8 with a head; what a record does not have is left empty."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([name for name, _ in table.head])
        writer.writerows(map(table.row, records))


def write_parquet(table: Table, records: Iterable[Record], file: Path) -> None:
    """Write text, 64 bit integers and 64 bit numbers; what a record does not have is null."""
    import pyarrow
    import pyarrow.parquet

    types = {"text": pyarrow.string(), "integer": pyarrow.int64(), "real": pyarrow.float64()}
    schema = pyarrow.schema([(name, types[type]) for name, type in table.head])
    rows = map(table.row, records)
    with pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for group in _groups(rows):
            columns = [
                pyarrow.array(values, field.type)
                for values, field in zip(zip(*group, strict=True), schema, strict=True)
            ]
            writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema))


def _groups(rows: Iterator[list[Any]]) -> Iterator[list[list[Any]]]:
    while group := list(islice(rows, _GROUP)):
        yield group
