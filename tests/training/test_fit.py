import csv
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from service.contract.errors import SetupError
from tests.training.folders import RECIPE, write_colors
from training.cli import train
from training.data.splits import open_dataset
from training.fit import fit
from training.recipe import parse_recipe
from training.run_folder import RunFolder


@pytest.fixture(scope="module")
def colors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colors(tmp_path_factory.mktemp("data") / "colors")


def run_fit(folder: Path, data: Path, seed: int = 3, stop_after: int | None = None) -> RunFolder:
    run = RunFolder(folder)
    fit(run, RECIPE, parse_recipe(RECIPE, "test"), str(data), seed, stop_after)
    return run


def load(file: Path) -> dict:
    return torch.load(file, weights_only=True)


def states(run: RunFolder) -> list[dict[str, torch.Tensor]]:
    """Return the averaged and the raw weights and the optimizer's momenta of the last epoch."""
    checkpoint = load(run.last)
    momenta = checkpoint["optimizer_states"][0]["state"]
    return [
        checkpoint["state_dict"],
        checkpoint["current_model_state"],
        {str(key): value["momentum_buffer"] for key, value in momenta.items()},
    ]


def rows(run: RunFolder) -> list[dict[str, str]]:
    with run.metrics.open() as stream:
        found = list(csv.DictReader(stream))
    for row in found:
        del row["minutes"]
    return found


def test_resumed_run_is_bitwise_the_uninterrupted_one(tmp_path: Path, colors: Path) -> None:
    """Two epochs, a pause and two more give the very weights of four epochs straight."""
    straight = run_fit(tmp_path / "straight", colors)
    run_fit(tmp_path / "paused", colors, stop_after=2)
    resumed = run_fit(tmp_path / "paused", colors)

    for one, other in zip(states(straight), states(resumed), strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert rows(straight) == rows(resumed)
    assert [row["epoch"] for row in rows(resumed)] == ["1", "2", "3", "4"]
    schedules = [load(run.last)["lr_schedulers"] for run in (straight, resumed)]
    assert schedules[0] == schedules[1]
    assert load(straight.last)["epoch"] == load(resumed.last)["epoch"] == 3
    best = [load(run.best) for run in (straight, resumed)]
    assert best[0]["epoch"] == best[1]["epoch"]


def test_seed_decides_everything(tmp_path: Path, colors: Path) -> None:
    """The same seed gives the same weights, another one does not."""
    first = states(run_fit(tmp_path / "a", colors, seed=1, stop_after=1))[1]
    again = states(run_fit(tmp_path / "b", colors, seed=1, stop_after=1))[1]
    other = states(run_fit(tmp_path / "c", colors, seed=2, stop_after=1))[1]

    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["net.fc.weight"], other["net.fc.weight"])


def test_continuing_with_another_recipe_is_refused(tmp_path: Path, colors: Path) -> None:
    """A run folder never mixes two recipes."""
    run = run_fit(tmp_path / "run", colors, stop_after=1)
    changed = RECIPE.replace("learning_rate = 0.05", "learning_rate = 0.01")

    with pytest.raises(SetupError, match="another recipe"):
        fit(run, changed, parse_recipe(changed, "test"), str(colors), 3, None)


def test_killed_run_resumes_exactly(tmp_path: Path, colors: Path) -> None:
    """After a kill in the middle, the same command arrives at the very same weights."""
    text = RECIPE.replace("epochs = 4", "epochs = 24").replace("patience = 10", "patience = 0")
    straight, killed = RunFolder(tmp_path / "straight"), RunFolder(tmp_path / "killed")
    fit(straight, text, parse_recipe(text, "test"), str(colors), 0, None)
    (tmp_path / "tiny.toml").write_text(text)
    command = [sys.executable, "-m", "training", "train", "--recipe", tmp_path / "tiny.toml"]
    command += ["--data", colors, "--out", killed.path, "--models-dir", tmp_path / "models"]
    with subprocess.Popen(command) as process:
        while not killed.metrics.exists() or len(rows(killed)) < 3:
            with suppress(subprocess.TimeoutExpired):
                assert process.wait(0.01) is None
        process.kill()
    assert 3 <= len(rows(killed)) < 24
    fit(killed, text, parse_recipe(text, "test"), str(colors), 0, None)

    for one, other in zip(states(straight), states(killed), strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert rows(straight) == rows(killed)


def test_two_trainings_never_share_a_run_folder(tmp_path: Path, colors: Path) -> None:
    """The second one is told so, before it overwrites the checkpoints of the first."""
    (tmp_path / "tiny.toml").write_text(RECIPE)
    arguments = ["--recipe", tmp_path / "tiny.toml", "--data", colors, "--out", tmp_path / "run"]
    arguments += ["--models-dir", tmp_path / "models"]
    with RunFolder(tmp_path / "run").lock():
        result = CliRunner().invoke(train, [str(argument) for argument in arguments])

    assert result.exit_code == 1
    assert "another training is at work" in result.output
    assert not (tmp_path / "run" / "run.json").exists()


def test_recipe_may_keep_the_last_checkpoint(tmp_path: Path, colors: Path) -> None:
    """With keep = "last" the validation split is told of, but chooses nothing."""
    text = RECIPE.replace("epochs = 4", 'epochs = 4\nkeep = "last"')
    run = RunFolder(tmp_path / "run")
    fit(run, text, parse_recipe(text, "test"), str(colors), 0, None)

    assert len(rows(run)) == 4
    assert "validation_loss" in rows(run)[0]
    assert run.best == run.last
    assert [file.name for file in run.checkpoints.iterdir()] == ["last.ckpt"]


def test_finished_run_is_left_alone(tmp_path: Path, colors: Path) -> None:
    """Repeating the command trains no further, not even after an early stop."""
    text = RECIPE.replace("epochs = 4", "epochs = 40").replace("patience = 10", "patience = 1")
    run = RunFolder(tmp_path / "run")
    for _ in range(2):
        fit(run, text, parse_recipe(text, "test"), str(colors), 0, None)
        epochs = len(rows(run))
        assert run.done.exists()

    assert epochs == len(rows(run)) < 40


def test_going_on_with_other_pictures_is_refused(tmp_path: Path) -> None:
    """A picture that is added between two parts of a run could be trained and tested on."""
    colors = write_colors(tmp_path / "colors")
    run_fit(tmp_path / "run", colors, stop_after=1)
    (colors / "green" / "0.png").rename(colors / "green" / "another.png")

    with pytest.raises(SetupError, match="other pictures"):
        run_fit(tmp_path / "run", colors)


def test_broken_test_picture_is_named_before_the_first_epoch(tmp_path: Path) -> None:
    """Nobody should train for hours to hear of it."""
    colors = write_colors(tmp_path / "colors")
    name = open_dataset(str(colors)).splits["test"].names[0]
    (colors / name).write_bytes(b"no picture")

    with pytest.raises(SetupError, match=name):
        run_fit(tmp_path / "run", colors)
    assert not (tmp_path / "run" / "metrics.csv").exists()


def test_early_stopping_ends_a_run_that_no_longer_improves(tmp_path: Path, colors: Path) -> None:
    """With a patience of one epoch, a run at 100 % ends before its last epoch."""
    text = RECIPE.replace("epochs = 4", "epochs = 40").replace("patience = 10", "patience = 1")
    run = RunFolder(tmp_path / "run")
    fit(run, text, parse_recipe(text, "test"), str(colors), 0, None)

    assert 2 <= len(rows(run)) < 40
