from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.contract.errors import SetupError
from service.contract.refusal import Refusal
from service.device import ON_CPU
from service.repository import load_repository
from tests.tiny_models import change_manifest, colors_graph, move_weights_out, sign, write_model


def load(root: Path) -> tuple[list[str], list[Refusal]]:
    """Return `name/version` of what is served, and the refusals."""
    repository = load_repository(root, ON_CPU)
    served = [f"{model.manifest.name}/{model.manifest.version}" for model in repository.models]
    return served, list(repository.refusals)


def rewrite(file: Path, change: Callable[[bytes], bytes]) -> None:
    file.write_bytes(change(file.read_bytes()))


def swap_golden(folder: Path) -> None:
    with np.load(folder / "golden.npz") as archive:
        arrays = dict(archive)
    arrays["output.probabilities"] = arrays["output.probabilities"][::-1]
    np.savez(folder / "golden.npz", **arrays)
    sign(folder)


def rename_input(folder: Path) -> None:
    def rename(manifest: dict[str, Any]) -> None:
        manifest["graphs"][0]["inputs"][0]["name"] = "pictures"

    change_manifest(folder, rename)


def promise_floats(folder: Path) -> None:
    def promise(manifest: dict[str, Any]) -> None:
        manifest["graphs"][0]["outputs"][0]["dtype"] = "uint8"

    change_manifest(folder, promise)


def newer_opset(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(colors_graph(opset=999).SerializeToString())
    sign(folder)


def signed_nonsense(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"nonsense")
    sign(folder)


def imagined_tap(folder: Path) -> None:
    def imagine(manifest: dict[str, Any]) -> None:
        manifest["graphs"][0]["taps"][0]["name"] = "conv/Con"

    change_manifest(folder, imagine)


def truncate_weights(folder: Path) -> None:
    move_weights_out(folder)
    rewrite(folder / "weights.bin", lambda data: data[:-1])
    sign(folder)


def nowhere(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"the location of nothing")
    sign(folder)


def link_outside(folder: Path) -> None:
    outside = folder.parents[2] / "elsewhere.onnx"
    (folder / "model.onnx").rename(outside)
    (folder / "model.onnx").symlink_to(outside)


DAMAGES: dict[str, tuple[Callable[[Path], Any], str, str]] = {
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "manifest.json", "is missing"),
    "no graph": (lambda f: (f / "model.onnx").unlink(), "model.onnx", "is missing"),
    "no golden file": (lambda f: (f / "golden.npz").unlink(), "golden.npz", "is missing"),
    "no card": (lambda f: (f / "CARD.md").unlink(), "CARD.md", "is missing"),
    "changed graph": (
        lambda f: rewrite(f / "model.onnx", lambda data: data + b"\0"),
        "model.onnx",
        "has sha256",
    ),
    "changed golden file": (
        lambda f: rewrite(f / "golden.npz", lambda data: data[:-1]),
        "golden.npz",
        "has sha256",
    ),
    "no JSON": (lambda f: (f / "manifest.json").write_text("{"), "manifest.json", "Invalid JSON"),
    "unknown task": (
        lambda f: change_manifest(f, lambda m: m.update(task="telepathy")),
        "manifest.json",
        "task: Input should be 'image-classification', ",
    ),
    "labels too few": (
        lambda f: change_manifest(f, lambda m: m.update(labels=["red"])),
        "manifest.json",
        "1 labels do not match the output",
    ),
    "path that escapes": (
        lambda f: change_manifest(
            f, lambda m: m["graphs"][0]["file"].update(path="../1/model.onnx")
        ),
        "manifest.json",
        "plain file name",
    ),
    "link that escapes": (link_outside, "model.onnx", "leads out of the repository"),
    "opset too new": (newer_opset, "model.onnx", "needs opset 999, which is too new"),
    "no ONNX": (signed_nonsense, "model.onnx", "cannot load it"),
    "golden mismatch": (swap_golden, "golden.npz", "differs from the golden one by up to"),
    "tap that is not there": (imagined_tap, "model.onnx", "has no tensor 'conv/Con'"),
    "weights not listed": (
        lambda f: move_weights_out(f, listed=()),
        "model.onnx",
        "has weights in the file 'weights.bin', which the manifest does not list",
    ),
    "weights elsewhere": (
        lambda f: move_weights_out(f, location="../../other/1/model.onnx"),
        "model.onnx",
        "has weights in the file '../../other/1/model.onnx', which the manifest does not list",
    ),
    "changed weights": (
        lambda f: (move_weights_out(f), rewrite(f / "weights.bin", lambda data: data + b"\0")),
        "weights.bin",
        "has sha256",
    ),
    "no weights": (
        lambda f: (move_weights_out(f), (f / "weights.bin").unlink()),
        "weights.bin",
        "is missing",
    ),
    "weights too short": (truncate_weights, "model.onnx", "out of bounds"),
    "no ONNX, but a location": (nowhere, "model.onnx", "is no ONNX graph"),
    "other input": (rename_input, "model.onnx", "the manifest says ['pictures']"),
    "other type": (promise_floats, "model.onnx", "is float32 (any, 3), but the manifest says"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_model_is_refused_and_the_others_are_served(tmp_path: Path, damage: str) -> None:
    """The refusal names the file and what is wrong; the neighbours do not suffer."""
    harm, file, reason = DAMAGES[damage]
    root = tmp_path / "models"
    write_model(root, "colors", 1)
    write_model(root, "other", 1)
    harm(write_model(root, "colors", 2))
    served, refusals = load(root)
    assert served == ["colors/1", "other/1"]
    ((name, version, refused_file, told),) = refusals
    assert (name, version, refused_file) == ("colors", 2, f"colors/2/{file}")
    assert reason in told


def test_good_models_reproduce_their_golden_outputs(tmp_path: Path) -> None:
    """What was loaded tells how near it came, and where it runs."""
    write_model(tmp_path)
    (model,) = load_repository(tmp_path, ON_CPU).models
    assert 0 <= model.golden_difference < 1e-5
    assert model.session.execution_provider == "CPUExecutionProvider"


@pytest.mark.parametrize("name", ["Colors", "col ors", "-colors", "x" * 65])
def test_folder_that_can_be_no_model_is_refused(tmp_path: Path, name: str) -> None:
    """Names that could not stand in a URL are told, not silently passed over."""
    write_model(tmp_path)
    (tmp_path / name / "1").mkdir(parents=True)
    served, (refusal,) = load(tmp_path)
    assert served == ["colors/1"]
    assert refusal.name == refusal.file == name
    assert "a model's name must match" in refusal.reason


@pytest.mark.parametrize("name", ["0", "01", "v1", "1.0", "latest", "-1"])
def test_folder_that_can_be_no_version_is_refused(tmp_path: Path, name: str) -> None:
    """A version is a positive integer in its only spelling."""
    write_model(tmp_path)
    (tmp_path / "colors" / name).mkdir()
    served, (refusal,) = load(tmp_path)
    assert served == ["colors/1"]
    assert (refusal.name, refusal.version) == ("colors", None)
    assert refusal.file == f"colors/{name}"


def test_model_without_versions_is_refused(tmp_path: Path) -> None:
    """An empty model folder is most likely a mistake, so it is told."""
    (tmp_path / "empty").mkdir()
    _, (refusal,) = load(tmp_path)
    assert "no version folder" in refusal.reason


@pytest.mark.parametrize("what", ["model", "version"])
def test_folder_that_links_outside_is_refused(tmp_path: Path, what: str) -> None:
    """A link to a folder elsewhere is not followed."""
    root = tmp_path / "models"
    write_model(root)
    elsewhere = write_model(tmp_path / "elsewhere", "linked", 2)
    if what == "model":
        (root / "linked").symlink_to(elsewhere.parent)
    else:
        (root / "linked").mkdir()
        (root / "linked" / "2").symlink_to(elsewhere)
    served, (refusal,) = load(root)
    assert served == ["colors/1"]
    assert refusal.file == {"model": "linked", "version": "linked/2"}[what]
    assert "out of the repository" in refusal.reason


def test_repository_may_itself_be_a_link(tmp_path: Path) -> None:
    """Only links that lead out are refused: a mounted volume is often a link."""
    write_model(tmp_path / "real")
    (tmp_path / "models").symlink_to(tmp_path / "real")
    assert load(tmp_path / "models") == (["colors/1"], [])


def test_files_and_hidden_folders_are_passed_over(tmp_path: Path) -> None:
    """A README or a .git beside the models is nobody's mistake."""
    write_model(tmp_path)
    (tmp_path / "README.md").touch()
    (tmp_path / "colors" / "notes.txt").touch()
    (tmp_path / ".git").mkdir()
    assert load(tmp_path) == (["colors/1"], [])


def test_no_folder_and_no_models_are_told_to_the_operator(tmp_path: Path) -> None:
    """Both end with a sentence that names the folder."""
    with pytest.raises(SetupError, match="There are no models in"):
        load(tmp_path)
    with pytest.raises(SetupError, match="nowhere cannot be read: No such file"):
        load(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="Not a directory"):
        load(tmp_path / "file")
