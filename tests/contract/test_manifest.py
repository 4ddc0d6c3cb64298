from pathlib import Path
from typing import Any

import pytest

from service.contract.errors import InvalidModel
from service.contract.manifest import Manifest, read_manifest, write_manifest
from tests.tiny_models import change_manifest, write_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path)


def refusal(folder: Path) -> InvalidModel:
    with pytest.raises(InvalidModel) as caught:
        read_manifest(folder)
    return caught.value


def test_manifest_survives_a_round_trip(folder: Path) -> None:
    """What is written is read back, value for value."""
    manifest = read_manifest(folder)
    write_manifest(folder, manifest)
    assert read_manifest(folder) == manifest
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest


def test_missing_manifest_is_named(folder: Path) -> None:
    """A folder without a manifest is refused by the manifest's name."""
    (folder / "manifest.json").unlink()
    error = refusal(folder)
    assert error.file == "colors/1/manifest.json"
    assert "No such file" in error.reason


@pytest.mark.parametrize("text", ["", "{", "[]", '"manifest"', "null", "\x00"])
def test_what_is_no_json_object_is_refused(folder: Path, text: str) -> None:
    """Anything but a JSON object is refused with a reason, not with a traceback."""
    (folder / "manifest.json").write_text(text)
    assert refusal(folder).reason


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"task": "mind-reading"}, "task"),
        ({"schema_version": 2}, "schema_version"),
        ({"version": 0}, "version"),
        ({"labels": ["red", "green"]}, "2 labels do not match the output 'probabilities'"),
        ({"labels": []}, "labels"),
        ({"surprise": 1}, "surprise"),
        ({"name": "../colors"}, "name"),
    ],
)
def test_wrong_field_is_named(folder: Path, changes: dict[str, Any], told: str) -> None:
    """The reason names the field that is wrong."""
    change_manifest(folder, lambda manifest: manifest.update(changes))
    assert told in refusal(folder).reason


@pytest.mark.parametrize("key", ["name", "task", "graphs", "labels", "golden", "license"])
def test_missing_field_is_named(folder: Path, key: str) -> None:
    """The reason names the field that is missing."""
    change_manifest(folder, lambda manifest: manifest.pop(key))
    assert refusal(folder).reason.startswith(f"{key}: Field required")


@pytest.mark.parametrize(
    "path", ["../1/model.onnx", "/etc/passwd", "a/b.onnx", "..", ".hidden", "", "a\\b"]
)
def test_file_outside_the_version_folder_is_refused(folder: Path, path: str) -> None:
    """Only plain file names may stand in a manifest."""
    change_manifest(folder, lambda manifest: manifest["graphs"][0]["file"].update(path=path))
    assert "plain file name" in refusal(folder).reason


def test_manifest_for_another_folder_is_refused(folder: Path) -> None:
    """A folder that was copied under another number does not pass for that version."""
    moved = folder.rename(folder.parent / "2")
    assert "is for colors/1" in refusal(moved).reason


def test_input_that_preprocessing_does_not_make_is_refused(folder: Path) -> None:
    """The graph's input must be what the preprocessing gives."""
    change_manifest(folder, lambda manifest: manifest["preprocessing"].update(height=9))
    assert "preprocessing makes uint8 (batch, 9, 8, 3)" in refusal(folder).reason


def test_two_graphs_of_one_kind_are_refused(folder: Path) -> None:
    """Every graph of a version has a role and precision of its own."""
    change_manifest(folder, lambda manifest: manifest["graphs"].append(manifest["graphs"][0]))
    assert "same role and precision" in refusal(folder).reason
