import csv
from pathlib import Path
from typing import Any

import pytest
import torch

from service.contract.errors import SetupError
from tests.training.folders import RECIPE as CLASSIFIER_RECIPE
from tests.training.folders import write_colors
from tests.training.scene_folders import RECIPE, write_boxes, write_mask
from training.data.scene_splits import open_scenes
from training.encoder_start import start_encoder
from training.fit import fit
from training.nets.registry import build_net
from training.recipe import InvalidRecipe, load_recipe, parse_recipe
from training.run_folder import RunFolder
from training.tasks import TASKS


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_boxes(tmp_path_factory.mktemp("data") / "boxes")


def run_fit(
    folder: Path, data: Path, seed: int = 3, stop_after: int | None = None, text: str = RECIPE
) -> RunFolder:
    run = RunFolder(folder)
    fit(run, text, parse_recipe(text, "test"), str(data), seed, stop_after)
    return run


def weights(run: RunFolder) -> list[dict[str, torch.Tensor]]:
    """Return the averaged and the raw weights of the last epoch."""
    checkpoint = torch.load(run.last, weights_only=True)
    return [checkpoint["state_dict"], checkpoint["current_model_state"]]


def rows(run: RunFolder) -> list[dict[str, str]]:
    with run.metrics.open() as stream:
        found = list(csv.DictReader(stream))
    for row in found:
        del row["minutes"]
    return found


def test_resumed_run_is_bitwise_the_uninterrupted_one(tmp_path: Path, boxes: Path) -> None:
    """Two epochs, a pause and two more give the very weights of four epochs straight."""
    straight = run_fit(tmp_path / "straight", boxes)
    run_fit(tmp_path / "paused", boxes, stop_after=2)
    resumed = run_fit(tmp_path / "paused", boxes)

    for one, other in zip(weights(straight), weights(resumed), strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert rows(straight) == rows(resumed)
    assert [row["epoch"] for row in rows(resumed)] == ["1", "2", "3", "4"]


def test_seed_decides_everything(tmp_path: Path, boxes: Path) -> None:
    """The same seed gives the same losses, another one does not."""
    first, again, other = (
        rows(run_fit(tmp_path / name, boxes, seed=seed, stop_after=1))
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )

    assert first == again
    assert first[0]["train_loss"] != other[0]["train_loss"]


def test_segmenter_learns_boxes(tmp_path: Path, boxes: Path) -> None:
    """A short training finds most of what is there, and the table says so."""
    text = RECIPE.replace("epochs = 4", "epochs = 8").replace("batch_size = 4", "batch_size = 2")
    found = rows(run_fit(tmp_path / "run", boxes, text=text))

    assert float(found[-1]["validation_miou"]) > 0.8
    assert float(found[-1]["validation_accuracy"]) > 0.9
    assert float(found[-1]["validation_loss"]) < float(found[0]["validation_loss"])


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_wrong_mask_is_named_before_the_first_epoch(tmp_path: Path, split: str) -> None:
    """Whichever split it is in, nobody should train for hours to hear of it."""
    folder = write_boxes(tmp_path / "boxes")
    opened = open_scenes(str(folder))
    dataset = TASKS["image-segmentation"].with_validation(opened, 0.2, seed=3)
    stem = Path(dataset.splits[split].names[0]).stem
    mask = opened.splits["test"].mask(0)
    write_mask(folder / "masks" / f"{stem}.png", mask * 0 + 5)

    with pytest.raises(SetupError, match=rf"masks/{stem}\.png: the value 5"):
        run_fit(tmp_path / "run", folder)
    assert not (tmp_path / "run" / "metrics.csv").exists()


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A trained classifier whose net is the encoder of the recipe below."""
    folder = tmp_path_factory.mktemp("classifier")
    colors = write_colors(folder / "colors")
    return run_fit(folder / "run", colors, stop_after=1, text=CLASSIFIER_RECIPE)


ENCODER: dict[str, Any] = {"widths": [8, 16], "depths": [1, 1]}


def test_encoder_starts_with_the_weights_of_a_checkpoint(classifier: RunFolder) -> None:
    """Every weight and statistic of the encoder is the best checkpoint's, the head is left out."""
    net = build_net("unet", 4, 3, {"encoder_options": ENCODER, "decoder_widths": [8]})
    decoder = {
        name: value.clone() for name, value in net.get_submodule("decoder").state_dict().items()
    }

    start_encoder(net, classifier.path)

    state = torch.load(classifier.best, weights_only=True)["state_dict"]
    encoder = net.get_submodule("encoder").state_dict()
    assert encoder
    assert all(torch.equal(value, state[f"net.{name}"]) for name, value in encoder.items())
    after = net.get_submodule("decoder").state_dict()
    assert all(torch.equal(after[name], decoder[name]) for name in decoder)


def test_run_starts_from_a_checkpoint_and_needs_it_no_more(
    tmp_path: Path, boxes: Path, classifier: RunFolder
) -> None:
    """The first epoch begins with its weights; a resume asks for nothing but the run folder."""
    checkpoint = tmp_path / "start.ckpt"
    checkpoint.write_bytes(classifier.best.read_bytes())
    text = RECIPE.replace(
        "widths = [8, 12, 16], depths = [1, 1, 1], stem_stride = 2",
        "widths = [8, 16], depths = [1, 1]",
    )
    text = text.replace("decoder_widths = [8, 8, 12]", "decoder_widths = [8]")
    slow = text.replace("learning_rate = 0.05", "learning_rate = 1e-12")
    started = slow.replace('kind = "unet"', f'kind = "unet"\nencoder_checkpoint = "{checkpoint}"')

    run = run_fit(tmp_path / "run", boxes, stop_after=1, text=started)
    checkpoint.unlink()
    run_fit(tmp_path / "run", boxes, stop_after=2, text=started)

    name = "stem.conv.weight"
    expected = torch.load(classifier.best, weights_only=True)["state_dict"][f"net.{name}"]
    torch.testing.assert_close(weights(run)[1][f"net.encoder.{name}"], expected)
    assert len(rows(run)) == 2


def test_checkpoint_of_another_shape_is_refused(tmp_path: Path, classifier: RunFolder) -> None:
    """The message names the first weight that differs; a file that is none is named too."""
    for options, complaint in [
        ({**ENCODER, "widths": [8, 24]}, r"layer2.*\(16, 8, 3, 3\).*\(24, 8, 3, 3\)"),
        ({**ENCODER, "depths": [2, 1]}, r"layer1\.1.*missing"),
    ]:
        net = build_net("unet", 4, 3, {"encoder_options": options, "decoder_widths": [8]})
        with pytest.raises(SetupError, match=complaint):
            start_encoder(net, classifier.path)
    (tmp_path / "x.ckpt").write_bytes(b"no checkpoint")
    for file in ("x.ckpt", "nothing.ckpt"):
        with pytest.raises(SetupError, match=file):
            start_encoder(net, tmp_path / file)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("multiple = 8", "multiple = 5", r"data: the input is 40 x 60 px.*40 x 64.*multiple = 8"),
        ("crop = [32, 48]", "crop = [30, 48]", r"augment\.crop is 30 x 48 px.*32 x 48"),
        ('kind = "unet"', 'kind = "resnet"', "no net 'resnet' for image-segmentation"),
    ],
)
def test_recipe_whose_sizes_the_net_cannot_take_is_refused(
    tmp_path: Path, boxes: Path, old: str, new: str, complaint: str
) -> None:
    """The message names the option, and a value that works."""
    assert RECIPE.count(old) == 1
    with pytest.raises(SetupError, match=complaint):
        run_fit(tmp_path / "run", boxes, text=RECIPE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("flip = true", "mixup = 0.2", "augment.mixup"),
        ("flip = true", "cutout_px = 4", "augment.cutout_px"),
        ("height = 40", "", "either size or both height and width"),
        ('resize = "same_area"', 'resize = "shortest_side_center_crop"', "data.resize"),
        ('task = "image-segmentation"', "", "data.resize = 'same_area'.*augment.crop, loss"),
        ("mean = [0.4, 0.5, 0.5]", "mean = [0.4]", "mean and std need 3 numbers"),
    ],
)
def test_option_that_the_task_has_no_use_for_is_refused(old: str, new: str, complaint: str) -> None:
    """An option that would do nothing must not look as if it did something."""
    assert RECIPE.count(old) == 1
    with pytest.raises(InvalidRecipe, match=complaint):
        parse_recipe(RECIPE.replace(old, new), "test")


@pytest.mark.parametrize(
    ("name", "least", "most"), [("unet_small", 0.4e6, 0.6e6), ("street", 2e6, 2.5e6)]
)
def test_bundled_recipe_builds_a_net_of_its_size(name: str, least: float, most: float) -> None:
    """The recipe's sizes fit its net, and its net is as large as it says."""
    recipe, _ = load_recipe(name)
    net = build_net(recipe.net.kind, 11, 3, recipe.net.options)

    assert TASKS[recipe.task].input_size(net, recipe) == recipe.augment.crop
    assert least < sum(weight.numel() for weight in net.parameters()) < most
