import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner, Result
from onnx import numpy_helper
from PIL import Image

from service.contract.manifest import Manifest, read_manifest
from tests.training.folders import RECIPE, write_colors
from training.cli import evaluate, export, train
from training.deployed import module_outputs
from training.export import load_deployed
from training.onnx_file import to_onnx
from training.run_folder import RunFolder
from training.taps import ExportError, find_taps, relative_error, run_with_taps


def invoke(command, *arguments: object) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a recipe, two trained seeds and their exported versions."""
    folder = tmp_path_factory.mktemp("workspace")
    write_colors(folder / "My Photos", each=20)
    (folder / "tiny.toml").write_text(RECIPE)
    for seed in (0, 1):
        invoke(
            train,
            *("--recipe", folder / "tiny.toml", "--data", folder / "My Photos", "--seed", seed),
            *("--out", folder / f"run-{seed}", "--models-dir", folder / "models"),
        )
    return folder


@pytest.fixture(scope="module")
def version(workspace: Path) -> Path:
    return workspace / "models" / "my-photos" / "1"


@pytest.fixture(scope="module")
def manifest(version: Path) -> Manifest:
    return read_manifest(version)


def test_training_on_a_folder_of_ones_own_exports_a_whole_version(
    workspace: Path, version: Path, manifest: Manifest
) -> None:
    """One command makes every file of a version, and nothing else."""
    assert {file.name for file in version.iterdir()} == {
        "model.onnx",
        "manifest.json",
        "golden.npz",
        "CARD.md",
    }
    assert manifest.labels == ("green", "purple", "yellow")
    assert manifest.metrics[0].value == 1.0
    assert manifest.parity is not None
    assert manifest.parity.same_argmax == manifest.parity.images == manifest.metrics[0].images


def test_second_training_is_the_next_version(workspace: Path) -> None:
    """Versions count up and are never overwritten."""
    versions = {folder.name for folder in (workspace / "models" / "my-photos").iterdir()}

    assert {"1", "2"} <= versions
    assert not [name for name in versions if not name.isdecimal()]


def test_run_folder_keeps_what_was_done(workspace: Path) -> None:
    """The recipe, the log, both checkpoints, the figures and the confusion matrix are there."""
    run = workspace / "run-0"

    assert (run / "recipe.toml").read_text() == RECIPE
    assert (run / "metrics.csv").read_text().startswith("epoch,train_loss")
    assert (run / "checkpoints" / "best.ckpt").exists()
    assert (run / "checkpoints" / "last.ckpt").exists()
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert np.trace(evaluation["confusion"]) == evaluation["images"]
    with Image.open(run / "confusion.png") as picture:
        assert min(picture.size) > 300


def test_names_in_the_file_are_module_paths(version: Path, manifest: Manifest) -> None:
    """Tensors are called path/Op, and the weights have the names of the state dict."""
    model = onnx.load(version / "model.onnx")
    outputs = {name for node in model.graph.node for name in node.output}

    assert {"stem.conv/Conv", "stem.norm/BatchNormalization", "layer2.0.relu/Relu"} <= outputs
    assert {"stem.conv.weight", "fc.bias"} <= {tensor.name for tensor in model.graph.initializer}
    assert {tap.name for tap in manifest.graph.taps} <= outputs


def test_nothing_of_the_machine_is_in_the_file(version: Path) -> None:
    """No source path, line or stack trace leaks into the exported graph."""
    content = (version / "model.onnx").read_bytes()

    for leak in (b".py", b"stack_trace", b"fx_node", b"site-packages", b"pkg.torch"):
        assert leak not in content
    assert str(Path(__file__).parents[2]).encode() not in content


def test_every_module_can_be_addressed(workspace: Path, version: Path, manifest: Manifest) -> None:
    """What a forward hook sees at a module is what the tap that lists it gives."""
    deployed = load_deployed(RunFolder(workspace / "run-0"))
    images = torch.randint(0, 256, (2, 16, 16, 3), dtype=torch.uint8)
    hooked = module_outputs(deployed, images)
    taps = {path: tap.name for tap in manifest.graph.taps for path in tap.modules}
    model = onnx.load(version / "model.onnx")
    values = run_with_taps(model, sorted(set(taps.values())), images.numpy())

    assert set(taps) == {path for path, _ in deployed.net.named_modules() if path}
    for path, name in taps.items():
        assert relative_error(values[name], hooked[path].numpy()) <= 1e-5, path


def test_card_tells_the_measured_figures(version: Path, manifest: Manifest) -> None:
    """The card has the accuracy with its interval, every class and the known failings."""
    card = (version / "CARD.md").read_text()

    assert "100.00%" in card
    assert all(label in card for label in manifest.labels)
    assert "Known failings" in card
    assert "tiny, seed 0" in card


def test_export_of_sister_seeds_states_mean_and_spread(workspace: Path) -> None:
    """Exporting a run together with another seed of its recipe gives runs, mean and spread."""
    models = workspace / "published"
    invoke(
        export,
        *(workspace / "run-0", workspace / "run-1", "--name", "colors", "--models-dir", models),
    )

    metric = read_manifest(models / "colors" / "1").metrics[0]
    assert (metric.runs, metric.mean, metric.spread) == (2, 1.0, 0.0)


def test_only_other_seeds_of_the_same_recipe_are_sisters(workspace: Path) -> None:
    """Mean and spread are never taken over one seed twice, or over different recipes."""
    other = workspace / "run-other"
    shutil.copytree(workspace / "run-1", other)
    (other / "recipe.toml").write_text(RECIPE.replace("0.05", "0.01"))
    for runs, complaint in [
        (["run-0", "run-0"], "same seed"),
        (["run-0", "run-1", "run-1"], "same seed"),
        (["run-0", "run-other"], "another recipe"),
    ]:
        folders = [str(workspace / run) for run in runs]
        result = CliRunner().invoke(export, [*folders, "--models-dir", str(workspace / "none")])
        assert result.exit_code == 1
        assert complaint in result.output
        assert not list((workspace / "none").glob("*/*"))


def test_graph_that_is_not_the_net_is_found_out(workspace: Path) -> None:
    """One wrong weight in the file fails the proof, with the name of the module."""
    deployed = load_deployed(RunFolder(workspace / "run-0"))
    images = torch.randint(0, 256, (2, 16, 16, 3), dtype=torch.uint8)
    model, scopes = to_onnx(deployed, images)
    weight = next(t for t in model.graph.initializer if t.name == "stem.conv.weight")
    values = numpy_helper.to_array(weight).copy()
    values[0, 0, 0, 0] += 0.01
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))

    with pytest.raises(ExportError, match=r"differs from the output of stem\.conv"):
        find_taps(model, scopes, deployed, images)


def test_failed_export_leaves_nothing_behind(workspace: Path) -> None:
    """A run that lost its log makes no half version that a server would stumble over."""
    run = workspace / "run-broken"
    shutil.copytree(workspace / "run-0", run)
    (run / "metrics.csv").unlink()
    models = workspace / "empty"
    result = CliRunner().invoke(export, [str(run), "--models-dir", str(models)])

    assert result.exit_code == 1
    assert list(models.rglob("*")) == []


def test_finished_training_is_not_exported_twice(workspace: Path) -> None:
    """Repeating the command says that it is done, and makes no second version of the same."""
    before = sorted((workspace / "models" / "my-photos").iterdir())
    arguments = ["--recipe", workspace / "tiny.toml", "--data", workspace / "My Photos"]
    arguments += ["--out", workspace / "run-0", "--models-dir", workspace / "models"]
    result = CliRunner().invoke(train, [str(argument) for argument in arguments])

    assert result.exit_code == 1
    assert "is finished" in result.output
    assert sorted((workspace / "models" / "my-photos").iterdir()) == before


def test_best_checkpoint_is_what_is_exported(workspace: Path) -> None:
    """The exported weights are the averaged ones of the best epoch, not the raw or the last."""
    run = RunFolder(workspace / "run-0")
    weights = load_deployed(run).net.state_dict()
    best = torch.load(run.best, weights_only=True)

    for key, value in weights.items():
        assert torch.equal(value, best["state_dict"][f"net.{key}"])
    raw = best["current_model_state"]
    assert not torch.equal(weights["fc.weight"], raw["net.fc.weight"])


def test_evaluate_measures_the_exported_file(workspace: Path, version: Path) -> None:
    """The command prints the accuracy with its interval and writes figures and picture."""
    out = workspace / "figures"
    result = invoke(evaluate, version, "--data", workspace / "My Photos", "--out", out)

    assert "accuracy 100.00%" in result.output
    assert {file.name for file in out.iterdir()} == {"evaluation.json", "confusion.png"}


def test_impossible_wishes_are_one_sentence(workspace: Path) -> None:
    """A missing folder, an unknown recipe and an unfit name each exit 1 without a traceback."""
    for arguments, complaint in [
        (["--recipe", "tiny.toml", "--data", "nowhere"], "no recipe"),
        (["--recipe", str(workspace / "tiny.toml"), "--data", "nowhere"], "no such file"),
        (["--recipe", str(workspace / "tiny.toml")], "--data"),
        (["--recipe", "xo", "--data", str(workspace)], "takes no --data"),
        (
            ["--recipe", "cifar10", "--data", str(workspace / "My Photos"), "--name", "My Net"],
            "no model name",
        ),
    ]:
        result = CliRunner().invoke(train, arguments)
        assert result.exit_code in (1, 2)
        assert complaint in result.output
        assert "Traceback" not in result.output
