"""Opens a data set of sounds and decides which of them a model is tested on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import SetupError
from training.data.layouts import SPLIT_FOLDERS
from training.data.pictures import DataSet
from training.data.sound_layouts import SoundTable, load_sounds
from training.data.sounds import Sounds
from training.data.splits import TEST_SEED, TEST_SHARE, hold_out, lot


class InvalidHoldOut(SetupError):
    """What is to be held out for the test is not in the data set, or is all of it."""


def open_sounds(data: str, held_out: str | None = None) -> DataSet[Sounds]:
    """Return the data set in the folder `data` with a test split.

    held_out: `COLUMN=VALUE` of its table: those sounds are the test split and all others are
        train, whatever the data set's own splits are. None takes these; where there is no test
        split, about a tenth of every class is held out, always the same one.
    Raises: SetupError if the data cannot be read, or the rest lacks one of the classes.
    """
    table = load_sounds(Path(data))
    if held_out is not None:
        test = _rows_of(table, held_out)
        parts = {"train": np.flatnonzero(~test), "test": np.flatnonzero(test)}
    elif "split" in table.columns:
        named = np.array([SPLIT_FOLDERS[text] for text in table.columns["split"]])
        parts = {split: np.flatnonzero(named == split) for split in np.unique(named).tolist()}
    else:
        parts = {"train": np.arange(len(table.sounds))}
    splits = {split: table.sounds.subset(indices) for split, indices in parts.items()}
    _check_train(table, splits.get("train"))
    dataset = DataSet(table.name, table.classes, splits)
    return dataset if "test" in splits else hold_out(dataset, "test", TEST_SHARE, TEST_SEED)


def values_of(data: str, column: str) -> list[str]:
    """Return what there is in the column of the data set's table, in order.

    Raises: InvalidHoldOut if it has no such column, SetupError if the data cannot be read.
    """
    return sorted(set(_column(load_sounds(Path(data)), column)))


def sounds_with_validation(dataset: DataSet[Sounds], share: float, seed: int) -> DataSet[Sounds]:
    """Return the data set with a validation split, held out of train unless it has its own.

    share: of every class of train; 0 holds nothing out, and there is no validation split.
    Where groups are known, whole groups of a class are held out as far as that is possible.
    """
    if "validation" in dataset.splits or share == 0:
        return dataset
    train = dataset.splits["train"]
    if train.groups is None:
        return hold_out(dataset, "validation", share, seed)
    held = np.zeros(len(train), bool)
    for class_index in range(len(dataset.classes)):
        members = np.flatnonzero(train.labels == class_index)
        held[_whole_groups(members, train.groups, train.names, share, seed)] = True
    splits = {
        **dataset.splits,
        "train": train.subset(np.flatnonzero(~held)),
        "validation": train.subset(np.flatnonzero(held)),
    }
    return DataSet(dataset.name, dataset.classes, splits)


def _whole_groups(
    members: NDArray[np.int64],
    groups: Sequence[str],
    names: Sequence[str],
    share: float,
    seed: int,
) -> list[int]:
    """Return about `share` of the members, one at least: whole groups, drawn by their names.

    A group that would make it twice as many as wanted stays in train; where no group is small
    enough, single sounds are drawn.
    """
    wanted, held = share * len(members), []
    drawn = sorted({groups[i] for i in members}, key=lambda group: lot(group, "validation", seed))
    for group in drawn:
        its = [int(i) for i in members if groups[i] == group]
        if len(held) < wanted and len(held) + len(its) <= 2 * wanted:
            held += its
    if held:
        return held
    by_lot = sorted(members.tolist(), key=lambda i: lot(names[i], "validation", seed))
    return by_lot[: max(1, round(wanted))]


def _rows_of(table: SoundTable, held_out: str) -> NDArray[np.bool_]:
    column, equals, value = held_out.partition("=")
    if not equals:
        raise InvalidHoldOut(f"{held_out!r} is not COLUMN=VALUE, such as fold=0")
    found = np.array([text == value for text in _column(table, column)])
    if not found.any():
        there_are = ", ".join(sorted(set(table.columns[column]))[:20])
        raise InvalidHoldOut(f"{table.name}: no {column} {value!r}; there are {there_are}")
    return found


def _column(table: SoundTable, column: str) -> Sequence[str]:
    if column not in table.columns:
        there_are = ", ".join(table.columns) or "none"
        raise InvalidHoldOut(f"{table.name}: its table has no column {column!r}; has {there_are}")
    return table.columns[column]


def _check_train(table: SoundTable, train: Sounds | None) -> None:
    there = set() if train is None else set(train.labels.tolist())
    missing = [label for i, label in enumerate(table.classes) if i not in there]
    if missing:
        raise InvalidHoldOut(f"{table.name}: nothing is left to learn {missing[0]!r} from")
