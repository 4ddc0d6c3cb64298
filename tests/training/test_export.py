import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from service.contract.manifest import Manifest, read_manifest
from tests.training.folders import RECIPE, write_colors
from training.cli import evaluate, export, train
from training.deployed import module_outputs
from training.export import load_deployed
from training.run_folder import RunFolder
from training.taps import relative_error, run_with_taps


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
    assert manifest.parity.same_argmax == manifest.parity.images == 6
    assert [f.name for f in (workspace / "models" / "my-photos").iterdir()] != []


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
    confusion = json.loads((run / "evaluation.json").read_text())["confusion"]
    assert np.trace(confusion) == 6
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

    for leak in (b"/", b".py", b"stack_trace", b"fx_node", b"site-packages"):
        found = [content[max(0, i - 20) : i + 20] for i in _positions(content, leak)]
        allowed = leak == b"/"  # the names themselves have a slash, and weights may by chance
        assert allowed or not found
    assert str(Path(__file__).parents[1]).encode() not in content


def _positions(content: bytes, text: bytes) -> list[int]:
    return [i for i in range(len(content)) if content.startswith(text, i)][:3]


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


def test_run_of_another_recipe_is_no_sister(workspace: Path) -> None:
    """Mean and spread are only taken over seeds of one recipe."""
    arguments = [str(workspace / "run-0")] * 2 + ["--models-dir", str(workspace / "published")]
    result = CliRunner().invoke(export, arguments)

    assert result.exit_code == 1
    assert "not another seed" in result.output


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
    ]:
        result = CliRunner().invoke(train, arguments)
        assert result.exit_code in (1, 2)
        assert complaint in result.output
        assert "Traceback" not in result.output
