"""Opens data sets of sounds in which something was measured: drawn ones, or a folder."""

import re
from pathlib import Path

import numpy as np

from training.data.layouts import SPLIT_FOLDERS, InvalidData
from training.data.measured import MeasuredSounds
from training.data.rhythms import RHYTHMS, load_rhythms
from training.data.sound_layouts import TABLE_NAME, read_table, reader_of
from training.data.sounds import Sounds
from training.data.splits import TEST_SEED, TEST_SHARE, lot

_QUANTITY = re.compile(r"(.+?) \[(.+)\]")  # of a column's head, such as `tempo [BPM]`


def open_measured(data: str) -> MeasuredSounds:
    """Return the data set in the folder `data`, or the drawn `rhythms`, with a test split.

    The folder has a `metadata.csv` with a column `file` and one whose head is `NAME [UNIT]`, such
    as `tempo [BPM]`: the values, above zero. In a column `split`, if there is one, are names of
    SPLIT_FOLDERS; where there is no test split, about a tenth is held out, always the same one.
    Raises: InvalidData naming what is missing or broken.
    """
    dataset = load_rhythms() if data == RHYTHMS else _load_folder(Path(data))
    if "test" in dataset.splits:
        return dataset
    return _hold_out(dataset, "test", TEST_SHARE, TEST_SEED)


def measured_with_validation(dataset: MeasuredSounds, share: float, seed: int) -> MeasuredSounds:
    """Return the data set with a validation split, held out of train unless it has its own.

    share: of train; 0 holds nothing out, and there is no validation split.
    """
    if "validation" in dataset.splits or share == 0:
        return dataset
    return _hold_out(dataset, "validation", share, seed)


def _hold_out(dataset: MeasuredSounds, split: str, share: float, seed: int) -> MeasuredSounds:
    """Return the data set with about `share` of train, one at least, moved to a new split.

    Whether a sound is moved depends on its own name alone.
    """
    train = dataset.splits["train"]
    if len(train) < 2:
        raise InvalidData(f"{dataset.name}: {len(train)} sounds are too few to hold any out")
    lots = np.array([lot(name, split, seed) for name in train.names])
    held = lots < share
    held[lots.argmin()] = True
    splits = {
        **dataset.splits,
        "train": train.subset(np.flatnonzero(~held)),
        split: train.subset(np.flatnonzero(held)),
    }
    return MeasuredSounds(dataset.name, dataset.classes, splits, dataset.units)


def _load_folder(path: Path) -> MeasuredSounds:
    if not (path / TABLE_NAME).is_file():
        raise InvalidData(f"{path}: has no {TABLE_NAME} that tells the value of each sound")
    files, columns = read_table(path)
    quantities = {head: found for head in columns if (found := _QUANTITY.fullmatch(head))}
    if len(quantities) != 1:
        there_are = ", ".join(columns) or "none"
        raise InvalidData(
            f"{path / TABLE_NAME}: one column must be called NAME [UNIT], such as `tempo [BPM]`; "
            f"there are {there_are}"
        )
    ((head, found),) = quantities.items()
    names = [file.relative_to(path).as_posix() for file in files]
    values = np.array([_value(text, name) for text, name in zip(columns[head], names, strict=True)])
    sounds = Sounds(reader_of(files), values, names)
    splits = columns.get("split", ["train"] * len(names))
    named = np.array([SPLIT_FOLDERS.get(split, "") for split in splits])
    if "" in named:
        unknown = splits[int(np.flatnonzero(named == "")[0])]
        raise InvalidData(f"{path}: no split {unknown!r}; there are {', '.join(SPLIT_FOLDERS)}")
    if "train" not in named:
        raise InvalidData(f"{path}: has no sounds to train on")
    parts = {split: sounds.subset(np.flatnonzero(named == split)) for split in np.unique(named)}
    return MeasuredSounds(path.resolve().name, (found[1],), parts, units=(found[2],))


def _value(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise InvalidData(f"{name}: {text!r} is no number above zero")
    return value
