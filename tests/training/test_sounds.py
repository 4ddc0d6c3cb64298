import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from service.contract.errors import SetupError
from service.contract.windows import windows_of
from tests.training.sound_folders import RATE_HZ, RECIPE, write_table, write_tone, write_tones
from training.data.layouts import InvalidData
from training.data.sound_layouts import load_sounds
from training.data.sound_splits import (
    InvalidHoldOut,
    open_sounds,
    sounds_with_validation,
    values_of,
)
from training.fit import fit
from training.recipe import parse_recipe
from training.run_folder import RunFolder


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_table(tmp_path / "tones")


def test_plain_folder_gets_a_fixed_test_part(tmp_path: Path) -> None:
    """Some of each class are held out for test, the same whatever the run's seed."""
    folder = write_tones(tmp_path / "tones", each=20)

    parts = [sounds_with_validation(open_sounds(str(folder)), 0.2, seed) for seed in (1, 2)]

    tests = [set(part.splits["test"].names) for part in parts]
    assert tests[0] == tests[1]
    assert {name.partition("/")[0] for name in tests[0]} == {"high", "low", "middle"}
    assert parts[0].splits["validation"].names != parts[1].splits["validation"].names
    for part in parts:
        names = [name for split in part.splits.values() for name in split.names]
        assert len(names) == len(set(names)) == 60
    assert parts[0].classes == ("high", "low", "middle")


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_sounds_in_any_format_are_found(tmp_path: Path, suffix: str) -> None:
    """Every format is read, at the rate that was asked for, with its label."""
    folder = write_tones(tmp_path / "tones", each=3, suffix=suffix, rate_hz=16_000)

    train = open_sounds(str(folder)).splits["train"]
    waveforms = list(train.waveforms(8000))

    assert waveforms[0].dtype == np.float32
    # every tone's loudest frequency is that of its class
    for waveform, label in zip(waveforms, train.labels, strict=True):
        spectrum = np.abs(np.fft.rfft(waveform))
        loudest = spectrum.argmax() * 8000 / len(waveform)
        assert abs(loudest - (1500, 250, 600)[label]) < 25


def test_split_folders_are_recognised(tmp_path: Path) -> None:
    """train/, val/ and test/ are taken as they are; nothing more is held out."""
    for name in ("train", "val", "test"):
        write_tones(tmp_path / "set" / name, each=3)

    dataset = sounds_with_validation(open_sounds(str(tmp_path / "set")), 0.2, 0)

    assert {split: len(part) for split, part in dataset.splits.items()} == {
        "train": 9,
        "validation": 9,
        "test": 9,
    }


def test_table_says_the_split_of_each_sound(table: Path) -> None:
    """Sounds go where metadata.csv puts them; those that it excludes are nowhere."""
    dataset = open_sounds(str(table))

    with (table / "metadata.csv").open() as stream:
        told = {row["file"]: row["split"] for row in csv.DictReader(stream)}
    found = {name: split for split, part in dataset.splits.items() for name in part.names}
    assert len(found) == 33
    assert {split.replace("validation", "val") for split in found.values()} == {
        "train",
        "val",
        "test",
    }
    for name, split in found.items():
        assert told[name] == split.replace("validation", "val")


def test_a_fold_can_be_held_out(table: Path) -> None:
    """The test split is that fold and nothing else, and no group is in two splits."""
    dataset = sounds_with_validation(open_sounds(str(table), "fold=1"), 0.3, 0)

    with (table / "metadata.csv").open() as stream:
        rows = {row["file"]: row for row in csv.DictReader(stream)}
    test = dataset.splits["test"]
    assert {rows[name]["fold"] for name in test.names} == {"1"}
    assert {rows[name]["fold"] for name in dataset.splits["train"].names} == {"0"}
    assert sum(len(part) for part in dataset.splits.values()) == 33
    groups = [{rows[name]["band_group"] for name in part.names} for part in dataset.splits.values()]
    assert len(groups) == 3
    assert not any(a & b for i, a in enumerate(groups) for b in groups[:i])


def test_no_share_leaves_no_validation_split(table: Path) -> None:
    """Where everything that is not tested on is trained on, nothing is held out."""
    dataset = sounds_with_validation(open_sounds(str(table), "fold=0"), 0, 0)

    assert set(dataset.splits) == {"train", "test"}


def test_one_group_that_is_the_whole_class_is_parted(table: Path) -> None:
    """A class by one artist still has sounds on either side."""
    text = (table / "metadata.csv").read_text()
    for i in range(4):
        text = text.replace(f"low-{i}", "low-0")
    (table / "metadata.csv").write_text(text)

    dataset = sounds_with_validation(open_sounds(str(table), "fold=0"), 0.3, 0)

    for part in dataset.splits.values():
        assert set(part.labels) == {0, 1, 2}


def test_values_of_a_column_are_told(table: Path) -> None:
    """Every fold is found once, in order."""
    assert values_of(str(table), "fold") == ["0", "1"]


@pytest.mark.parametrize(
    ("held_out", "complaint"),
    [
        ("fold", "not COLUMN=VALUE"),
        ("fold=7", "no fold '7'; there are 0, 1"),
        ("singer=1", "no column 'singer'; has split, fold, band_group"),
    ],
)
def test_impossible_hold_outs_name_what_there_is(
    table: Path, held_out: str, complaint: str
) -> None:
    """A typing error is answered with the choices."""
    with pytest.raises(InvalidHoldOut, match=complaint):
        open_sounds(str(table), held_out)


def test_held_out_class_is_refused(table: Path) -> None:
    """Nobody can learn a class of which every sound is tested on."""
    text = (table / "metadata.csv").read_text().replace(",high-0", ",low-0")
    rows = [line.replace(",0,high", ",1,high") for line in text.splitlines()]
    (table / "metadata.csv").write_text("\n".join(rows))
    rows = [line.replace("low-0", "x") if "high" in line else line for line in rows]
    (table / "metadata.csv").write_text("\n".join(r.replace(",0,x", ",1,x") for r in rows))

    with pytest.raises(InvalidHoldOut, match="nothing is left to learn 'high'"):
        open_sounds(str(table), "fold=1")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("name,split\n", "column 'file'"),
        ("file,split\na/x.wav,train\nb/y.wav\n", "different lengths"),
        ("file,split\na/x.wav,train\nb/y.wav,dev\n", "no split 'dev'"),
        ("file,split\na/x.wav,train\n", "at least two classes"),
    ],
)
def test_broken_table_is_named(tmp_path: Path, content: str, complaint: str) -> None:
    """The message says what is wrong with it."""
    (tmp_path / "metadata.csv").write_text(content)

    with pytest.raises(InvalidData, match=complaint):
        load_sounds(tmp_path)


def test_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Before anything else is tried."""
    with pytest.raises(InvalidData, match="no such folder"):
        load_sounds(tmp_path / "nowhere")


@pytest.mark.parametrize("split", ["train", "test"])
def test_broken_sound_is_named_before_the_first_epoch(table: Path, split: str) -> None:
    """A file that cannot be decoded stops the run with its name, whatever split it is in."""
    name = open_sounds(str(table)).splits[split].names[0]
    (table / name).write_bytes(b"no sound")
    run = RunFolder(table.parent / "run")

    with pytest.raises(SetupError, match=name):
        fit(run, RECIPE, parse_recipe(RECIPE, "test"), str(table), 0, None)
    assert not run.metrics.exists()


def test_model_inputs_are_the_windows_that_are_served(tmp_path: Path) -> None:
    """Every sound is cut as the service cuts it, short ones repeated."""
    folder = write_tones(tmp_path / "tones", each=3)
    write_tone(folder / "low" / "long.wav", 250, 1.0)
    spec = parse_recipe(RECIPE, "test").data.preprocessing()
    sounds = load_sounds(folder).sounds

    inputs = sounds.model_inputs(spec)

    expected = []
    for name in sounds.names:
        waveform, rate = soundfile.read(folder / name, dtype="float32")
        assert rate == RATE_HZ
        expected.append(windows_of(waveform, spec)[1])
    assert np.array_equal(inputs, np.concatenate(expected))
    assert len(inputs) > len(sounds)
