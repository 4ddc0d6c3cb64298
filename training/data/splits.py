"""Opens a data set and holds out what it lacks."""

import hashlib
from pathlib import Path

import numpy as np

from service.contract.errors import SetupError
from training.data.layouts import load_dataset
from training.data.pictures import DataSet, Items, Pictures
from training.data.strokes import load_strokes

STROKES = "strokes"
TEST_SHARE = 0.1
TEST_SEED = 0  # the test part of a folder without one must not move with the run's seed


def open_dataset(data: str) -> DataSet[Pictures]:
    """Return the data set at the path `data` (or the drawn `strokes`) with a test split.

    Where it has none of its own, about a tenth of every class is held out, always the same one.
    Raises: SetupError if the data cannot be read.
    """
    dataset = load_strokes() if data == STROKES else load_dataset(Path(data))
    if "test" in dataset.splits:
        return dataset
    return hold_out(dataset, "test", TEST_SHARE, TEST_SEED)


def with_validation(dataset: DataSet[Pictures], share: float, seed: int) -> DataSet[Pictures]:
    """Return the data set with a validation split, held out of train unless it has its own."""
    if "validation" in dataset.splits:
        return dataset
    return hold_out(dataset, "validation", share, seed)


def hold_out(dataset: DataSet[Items], split: str, share: float, seed: int) -> DataSet[Items]:
    """Return the data set with some `share` of every class of train moved to a new split.

    Whether an item is moved depends on its own name alone, so that one which is added or
    removed later moves no other one; every class gives at least one.
    """
    train = dataset.splits["train"]
    lots = np.array([lot(name, split, seed) for name in train.names])
    held: list[int] = []
    for class_index, label in enumerate(dataset.classes):
        members = np.flatnonzero(train.labels == class_index)
        if len(members) < 3:
            raise SetupError(
                f"{dataset.name}: class {label!r} has {len(members)} examples; three are the "
                f"least from which a {split} part can be held out"
            )
        drawn = members[lots[members] < share]
        held += (drawn if len(drawn) else members[lots[members].argmin(keepdims=True)]).tolist()
    kept = np.setdiff1d(np.arange(len(train)), held)
    parts = {
        **dataset.splits,
        "train": train.subset(kept),
        split: train.subset(np.sort(np.array(held, np.int64))),
    }
    return DataSet(dataset.name, dataset.classes, parts)


def lot(name: str, split: str, seed: int) -> float:
    """Return a number in 0..1 drawn by the name, split and seed."""
    digest = hashlib.sha256(f"{seed}:{split}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
