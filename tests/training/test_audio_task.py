import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner, Result

from service.contract.golden import check_golden
from service.contract.manifest import Manifest, read_manifest
from service.device import ON_CPU
from service.runtime import open_session
from tests.training.folders import write_colors
from tests.training.sound_folders import RECIPE, WAVE_RECIPE, write_table
from training.cli import crossvalidate, evaluate, export, train
from training.crossvalidation import CrossValidation, read_cross_validation
from training.data.sound_splits import open_sounds
from training.deployed import module_outputs
from training.export import load_deployed
from training.fit import fit
from training.recipe import parse_recipe
from training.run_folder import RunFolder
from training.served_sounds import ServedSoundClassifier
from training.taps import relative_error, run_with_taps


def invoke(command, *arguments: object) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tones, two recipes and a trained and exported model of each."""
    folder = tmp_path_factory.mktemp("workspace")
    write_table(folder / "Tones", each=18)
    for name, text in (("tones", RECIPE), ("wave", WAVE_RECIPE)):
        (folder / f"{name}.toml").write_text(text)
        invoke(
            train,
            *("--recipe", folder / f"{name}.toml", "--data", folder / "Tones", "--name", name),
            *("--out", folder / f"run-{name}", "--models-dir", folder / "models"),
        )
    return folder


@pytest.fixture(scope="module", params=["tones", "wave"])
def version(workspace: Path, request: pytest.FixtureRequest) -> Path:
    return workspace / "models" / request.param / "1"


@pytest.fixture
def manifest(version: Path) -> Manifest:
    return read_manifest(version)


def test_training_on_sounds_exports_a_whole_version(version: Path, manifest: Manifest) -> None:
    """One command makes a model that keeps the contract and tells the tones apart."""
    assert {file.name for file in version.iterdir()} == {
        "model.onnx",
        "manifest.json",
        "golden.npz",
        "CARD.md",
    }
    assert manifest.task == "audio-classification"
    assert manifest.labels == ("high", "low", "middle")
    (graph_input,) = manifest.graph.inputs
    assert (graph_input.name, graph_input.dtype, graph_input.shape) == (
        "waveform",
        "float32",
        (None, 1200),
    )
    assert [metric.split for metric in manifest.metrics] == ["test", "validation"]
    assert manifest.metrics[0].value >= 0.8
    assert manifest.parity is not None
    assert manifest.parity.same_argmax == manifest.parity.images > manifest.metrics[0].images
    assert manifest.parity.max_probability_difference <= 1e-4


def test_golden_outputs_are_reproduced(version: Path, manifest: Manifest) -> None:
    """What PyTorch gave is what the graph gives."""
    session = open_session(version / "model.onnx", "it", ON_CPU)
    golden = version / "golden.npz"
    assert check_golden(golden, manifest.golden, manifest.graph, session.run, "it") <= 1e-4


def test_every_module_can_be_addressed(workspace: Path, version: Path, manifest: Manifest) -> None:
    """What a forward hook sees at a module is what the tap that lists it gives."""
    deployed = load_deployed(RunFolder(workspace / f"run-{manifest.name}"))
    waveforms = torch.randn(2, 1200, generator=torch.Generator().manual_seed(0))
    hooked = module_outputs(deployed, waveforms)
    taps = {path: tap.name for tap in manifest.graph.taps for path in tap.modules}
    model = onnx.load(version / "model.onnx")
    values = run_with_taps(model, sorted(set(taps.values())), waveforms.numpy())

    assert set(taps) == {path for path, _ in deployed.net.named_modules() if path}
    for path, name in taps.items():
        assert relative_error(values[name], hooked[path].numpy()) <= 1e-5, path


def test_nothing_of_augmentation_is_in_the_file(version: Path) -> None:
    """Masks, noise and mixing are of the training alone: the graph draws nothing."""
    operators = {node.op_type for node in onnx.load(version / "model.onnx").graph.node}
    assert not {op for op in operators if op.startswith("Random") or op in ("Dropout", "Where")}


def test_whole_sound_is_told_by_the_mean_of_its_logits(version: Path, manifest: Manifest) -> None:
    """Through the served graph, as by hand."""
    served = ServedSoundClassifier(version, manifest)
    waveform = np.random.default_rng(0).normal(0, 0.1, 2000).astype(np.float32)
    session = open_session(version / "model.onnx", "it", ON_CPU)
    windows = np.stack([waveform[start : start + 1200] for start in (0, 600, 800)])

    expected = session.run({"waveform": windows})["logits"].mean(0)
    np.testing.assert_allclose(served.logits(waveform), expected, atol=1e-6)


def test_evaluate_measures_the_exported_file(workspace: Path, version: Path) -> None:
    """On its own split or another part; the figures count sounds, not windows."""
    data = ("--data", workspace / "Tones")
    result = invoke(evaluate, version, *data, "--out", workspace / "figures")
    assert "on 18 sounds of Tones test" in result.output
    figures = json.loads((workspace / "figures" / "evaluation.json").read_text())
    assert np.sum(figures["confusion"]) == 18
    part = invoke(evaluate, version, *data, "--hold-out", "band_group=low-1")
    assert "on 3 sounds of Tones test" in part.output


def test_card_speaks_of_sounds(version: Path) -> None:
    """Its input, its split and its proof are told in the words of sounds."""
    card = (version / "CARD.md").read_text()
    assert "mono, 4,000 Hz, windows of 0.3 s, one every 0.15 s" in card
    assert "The validation split of 9 sounds did" in card
    assert "windows, in batches of 1 and 16" in card
    assert "pictures" not in card


@pytest.fixture(scope="module")
def folds(workspace: Path) -> CrossValidation:
    """Two folds and two seeds, trained without a validation split."""
    text = RECIPE.replace("validation_share = 0.2", "validation_share = 0")
    (workspace / "folds.toml").write_text(text)
    arguments = ["--recipe", workspace / "folds.toml", "--data", workspace / "Tones"]
    result = invoke(crossvalidate, *arguments, "--seeds", 2, "--out", workspace / "cv")
    assert "tones" in result.output
    return read_cross_validation(workspace / "cv")


def test_every_sound_is_tested_on_once_a_seed(workspace: Path, folds: CrossValidation) -> None:
    """By a model that had not heard it; the figures are those of the single runs."""
    sounds = open_sounds(str(workspace / "Tones"))
    assert sum(folds.sounds) == sum(len(part) for part in sounds.splits.values())
    assert np.sum(folds.confusion) == 2 * sum(folds.sounds)
    assert np.shape(folds.accuracies) == (2, 2)
    for fold in "01":
        run = RunFolder(workspace / "cv" / f"fold-{fold}-seed-1")
        assert run.facts().held_out == f"fold={fold}"
        accuracy = json.loads(run.evaluation.read_text())["accuracy"]
        assert folds.accuracies[1][int(fold)] == accuracy


def test_mean_is_over_folds_and_spread_over_seeds() -> None:
    """Worked by hand: seeds of means 0.5 and 0.7."""
    found = CrossValidation(
        dataset="d",
        recipe="r",
        recipe_sha256=None,
        column="fold",
        folds=["0", "1"],
        seeds=[0, 1],
        sounds=[10, 30],
        accuracies=[[0.4, 0.6], [0.8, 0.6]],
        labels=["a", "b"],
        confusion=[[30, 10], [10, 30]],
    )
    metric = found.metric()

    assert (metric.value, metric.images, metric.runs) == (0.5, 40, 2)
    assert metric.mean == pytest.approx(0.6)
    assert metric.spread == pytest.approx(0.2 / np.sqrt(2))
    assert metric.interval[0] < 22 / 40 < metric.interval[1]
    assert found.row() == ("r", "60.00% ± 14.14%", "2", "60.0%", "60.0%")
    assert found.recalls() == [("a", 0.75), ("b", 0.75)]


def test_without_validation_the_last_epoch_is_kept(workspace: Path, folds: CrossValidation) -> None:
    """There is nothing to choose by, and the log has no column for it."""
    run = RunFolder(workspace / "cv" / "fold-0-seed-0")

    assert torch.load(run.best, weights_only=True)["epoch"] == 7
    head = run.metrics.read_text().splitlines()[0]
    assert head == "epoch,train_loss,learning_rate,minutes"


def test_finished_folds_are_not_trained_again(workspace: Path, folds: CrossValidation) -> None:
    """The same command reads what is there."""
    weights = workspace / "cv" / "fold-0-seed-0" / "checkpoints" / "last.ckpt"
    before = weights.stat().st_mtime_ns
    arguments = ["--recipe", workspace / "folds.toml", "--data", workspace / "Tones"]
    invoke(crossvalidate, *arguments, "--seeds", 2, "--out", workspace / "cv")

    assert weights.stat().st_mtime_ns == before
    assert read_cross_validation(workspace / "cv") == folds


def test_folds_stand_in_manifest_and_card(workspace: Path, folds: CrossValidation) -> None:
    """Their mean and spread, beside the model's own figure, and others' below."""
    models = workspace / "published"
    other = workspace / "ridge"
    other.mkdir()
    beside = folds.model_copy(update={"recipe": "ridge", "accuracies": [[0.25, 0.5]]})
    (other / "crossvalidation.json").write_text(beside.model_dump_json())
    shown = ("--folds", workspace / "cv", "--folds", other, "--models-dir", models)
    run = RunFolder(workspace / "run-folds")
    (workspace / "run-folds").mkdir()
    text = (workspace / "folds.toml").read_text()
    fit(run, text, parse_recipe(text, "test"), str(workspace / "Tones"), 0, None)
    invoke(export, run.path, "--name", "tones", *shown)

    metric = read_manifest(models / "tones" / "1").metrics[-1]
    card = (models / "tones" / "1" / "CARD.md").read_text()
    assert (metric.split, metric.runs) == ("2 folds in turn", 2)
    assert metric == folds.metric()
    assert "## Cross-validation" in card
    assert "| ridge | 37.50% | 1 | 25.0% | 50.0% |" in card


def test_folds_of_another_recipe_are_refused(workspace: Path, folds: CrossValidation) -> None:
    """Nobody's figures but its own recipe's stand for a model."""
    arguments = [workspace / "run-wave", "--folds", workspace / "cv"]
    result = CliRunner().invoke(export, [str(argument) for argument in arguments])

    assert result.exit_code == 1
    assert "not of the recipe" in result.output


def test_pictures_have_no_folds(tmp_path: Path) -> None:
    """The options for sounds are refused for pictures, in one sentence."""
    data = str(write_colors(tmp_path / "colors", each=3))
    for command, arguments in [
        (crossvalidate, ["--recipe", "resnet20", "--data", data]),
        (train, ["--recipe", "resnet20", "--data", data, "--hold-out", "fold=1"]),
    ]:
        result = CliRunner().invoke(command, [*arguments, "--out", str(tmp_path / "run")])
        assert result.exit_code == 1
        assert "columns" in result.output


def test_resumed_run_is_bitwise_the_uninterrupted_one(workspace: Path, tmp_path: Path) -> None:
    """Masks, mixing and all: three epochs, a pause and the rest give the very same weights."""
    recipe = parse_recipe(RECIPE, "test")
    weights = []
    for name, pauses in (("straight", [None]), ("paused", [3, None])):
        for stop_after in pauses:
            run = RunFolder(tmp_path / name)
            fit(run, RECIPE, recipe, str(workspace / "Tones"), 5, stop_after)
        weights.append(torch.load(run.last, weights_only=True)["state_dict"])

    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
