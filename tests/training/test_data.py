import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from service.contract.errors import SetupError
from tests.training.folders import write_colors
from training.data.layouts import InvalidData, load_dataset
from training.data.splits import open_dataset, with_validation
from training.data.strokes import load_strokes
from training.recipe import DataRecipe

SPEC = DataRecipe(resize="squash", size=8, mean=(0.5,) * 3, std=(0.5,) * 3).preprocessing()


def write_idx(folder: Path, count: int = 6) -> None:
    for prefix in ("train", "t10k"):
        pixels = np.arange(count * 4, dtype=np.uint8).reshape(count, 2, 2)
        head = struct.pack(">4I", 0x0803, count, 2, 2)
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(
            gzip.compress(head + pixels.tobytes())
        )
        labels = bytes(i % 2 for i in range(count))
        content = struct.pack(">2I", 0x0801, count) + labels
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(content)


def test_plain_folder_gets_a_fixed_test_part(tmp_path: Path) -> None:
    """Some of each class are held out for test, the same whatever the run's seed."""
    folder = write_colors(tmp_path / "colors", each=20)

    parts = [with_validation(open_dataset(str(folder)), 0.2, seed) for seed in (1, 2)]

    tests = [set(part.splits["test"].names) for part in parts]
    validations = [set(part.splits["validation"].names) for part in parts]
    assert tests[0] == tests[1]
    assert {name.partition("/")[0] for name in tests[0]} == set(parts[0].classes)
    assert 3 <= len(tests[0]) <= 15
    assert validations[0] != validations[1]
    for part in parts:
        names = [name for split in part.splits.values() for name in split.names]
        assert len(names) == len(set(names)) == 60
    assert parts[0].classes == ("green", "purple", "yellow")


def test_new_pictures_move_no_old_one_between_the_splits(tmp_path: Path) -> None:
    """A folder that grows keeps its test pictures: none that was trained on becomes one."""
    folder = write_colors(tmp_path / "colors", each=40)
    before = open_dataset(str(folder))
    for name in ("0", "1", "2"):
        (folder / "green" / f"{name}.png").rename(folder / "green" / f"new-{name}.png")
    after = open_dataset(str(folder))

    old = set(before.splits["test"].names)
    for name in after.splits["train"].names:
        assert name not in old
    assert set(after.splits["test"].names) - old <= {f"green/new-{i}.png" for i in range(3)}
    assert before.digest() != after.digest()


def test_pictures_of_a_folder_keep_their_labels(tmp_path: Path) -> None:
    """Model inputs come in the order of the labels, each with its class's colour."""
    dataset = load_dataset(write_colors(tmp_path / "colors", each=3))
    train = dataset.splits["train"]

    inputs = train.model_inputs(SPEC)

    greenest = inputs[train.labels == dataset.classes.index("green")].mean((0, 1, 2))
    assert inputs.shape == (9, 8, 8, 3)
    assert greenest.argmax() == 1


def test_split_folders_are_recognised(tmp_path: Path) -> None:
    """train/, val/ and test/ are taken as they are; nothing more is held out."""
    for name in ("train", "val", "test"):
        write_colors(tmp_path / "set" / name, each=3)

    dataset = with_validation(open_dataset(str(tmp_path / "set")), 0.2, 0)

    assert {split: len(part) for split, part in dataset.splits.items()} == {
        "train": 9,
        "validation": 9,
        "test": 9,
    }


def test_idx_files_are_read_zipped_or_not(tmp_path: Path) -> None:
    """Pixels and labels come out as they were written."""
    write_idx(tmp_path)

    train = load_dataset(tmp_path).splits["train"]

    assert train.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert train.read(1)[:, :, 0].tolist() == [[4, 5], [6, 7]]


@pytest.mark.parametrize("content", [b"", b"not gzip", gzip.compress(b"\0\0\x08\x03\0\0\0\x09")])
def test_broken_idx_file_is_named(tmp_path: Path, content: bytes) -> None:
    """The message says which file cannot be read."""
    write_idx(tmp_path)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(content)

    with pytest.raises(InvalidData, match=r"train-images-idx3-ubyte\.gz"):
        load_dataset(tmp_path)


def test_broken_picture_is_named(tmp_path: Path) -> None:
    """A truncated file stops the loading with its name."""
    folder = write_colors(tmp_path / "colors", each=3)
    broken = folder / "green" / "1.png"
    broken.write_bytes(broken.read_bytes()[:100])

    with pytest.raises(InvalidData, match=r"green/1\.png"):
        load_dataset(folder).splits["train"].model_inputs(SPEC)


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: p.write_text("x")])
def test_folder_without_classes_is_refused(tmp_path: Path, make) -> None:
    """Nothing, an empty folder and a text file are each refused by name."""
    make(tmp_path / "data")

    with pytest.raises(SetupError, match="data"):
        load_dataset(tmp_path / "data")


def test_stray_files_do_not_change_the_layout(tmp_path: Path) -> None:
    """An npz beside class folders, hidden files and a class called train are taken calmly."""
    folder = write_colors(tmp_path / "colors", each=3)
    np.savez(folder / "features.npz", x=np.zeros(2))
    (folder / "green" / "._0.png").write_bytes(b"what macOS writes")
    (folder / "green").rename(folder / "train")

    dataset = load_dataset(folder)

    assert dataset.classes == ("purple", "train", "yellow")
    assert len(dataset.splits["train"]) == 9


def test_class_too_small_to_hold_out_is_named(tmp_path: Path) -> None:
    """Two pictures of a class cannot be parted into train, validation and test."""
    folder = write_colors(tmp_path / "colors", each=2)

    with pytest.raises(SetupError, match="green"):
        open_dataset(str(folder))


def test_class_that_train_does_not_know_is_refused(tmp_path: Path) -> None:
    """A test folder with another class would be scored against the wrong labels."""
    write_colors(tmp_path / "set" / "train", each=3)
    write_colors(tmp_path / "set" / "test", each=3)
    (tmp_path / "set" / "test" / "green").rename(tmp_path / "set" / "test" / "mauve")

    with pytest.raises(InvalidData, match="mauve"):
        load_dataset(tmp_path / "set")


def test_strokes_are_always_the_same_and_splits_differ() -> None:
    """The drawn data set can be cited: no run sees another one, no test picture is trained on."""
    one, other = load_strokes(train=300, test=100), load_strokes(train=300, test=100)

    train = [one.splits["train"].read(i).tobytes() for i in range(300)]
    test = [one.splits["test"].read(i).tobytes() for i in range(100)]
    assert train == [other.splits["train"].read(i).tobytes() for i in range(300)]
    assert not set(train) & set(test)
