import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from PIL import Image

from service.contract.errors import DeadlineExceeded, InvalidParameter, TooLarge, UnknownModel
from service.contract.manifest import read_manifest
from service.runners import Runners
from service.settings import Settings
from service.tasks.catalog import Catalog
from service.tasks.compare.measure import Comparison, Unmatched, compare, two_models
from service.tasks.compare.picture import render_comparison
from service.wiring import open_live
from tests.net_models import SIDE, changed_weight, small_net, write_net
from tests.onnx_graphs import run_all_taps
from tests.pictures import flat
from tests.quantized import write_int8_twin
from tests.sounds import stored, tone
from tests.tiny_models import (
    change_manifest,
    write_listener,
    write_model,
    write_segmenter,
    write_spans,
)

ROOT = Path(__file__).parents[2]
CHANGED = "conv2/Conv"
NOISE = np.random.default_rng(5).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """Nets that differ in one weight or only in names, and models of every other task."""
    root = tmp_path_factory.mktemp("models")
    write_net(root, small_net(), "net", 1)
    write_net(root, changed_weight(small_net(), CHANGED, by=1.0), "net", 2)
    write_net(root, small_net("my."), "renamed")
    write_model(root, "colors")
    swapped = write_model(root, "swapped")
    change_manifest(swapped, lambda manifest: manifest.update(labels=["blue", "green", "violet"]))
    write_segmenter(root, "paint")
    write_segmenter(root, "large", height=24, width=32)
    other = write_segmenter(root, "other")
    change_manifest(other, lambda manifest: manifest.update(labels=["green", "red", "blue"]))
    write_listener(root)
    write_spans(root)
    write_spans(root, "coarse", sees=800, step=400)
    runners = Runners(1)
    settings = Settings(models_dir=root, device="cpu", threads=1, policy="all")
    yield open_live(settings, runners).catalog
    runners.close()


def compared(catalog: Catalog, one: str, other: str, data: bytes) -> Comparison:
    return compare(two_models(catalog, [one, other]), data, 0.0, Event())


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("net@1", png(NOISE)),
        ("colors", flat("#804020")),
        ("paint", png(NOISE)),
        ("loudness", stored(tone(1.3))),
        ("pauses", stored(tone(1.3))),
    ],
)
def test_model_is_like_itself(catalog: Catalog, name: str, data: bytes) -> None:
    """Every layer is there, and no number differs."""
    found = compared(catalog, name, name, data)
    assert found.agreement.agree
    assert found.agreement.agreement in (None, 1.0)
    assert found.agreement.max_probability_difference in (None, 0.0)
    assert not found.unmatched
    assert len(found.layers) == len(found.models[0].manifest.graph.taps)
    for layer in found.layers:
        assert layer.layer == layer.other_layer
        assert layer.difference[:3] == (0.0, 0.0, 0.0)
        assert layer.difference.cosine in (None, 1.0)


def test_one_weight_is_noticed_from_its_layer_on(catalog: Catalog) -> None:
    """Before it there is no difference at all; from it on, the figures are those of NumPy."""
    found = compared(catalog, "net@1", "net@2", png(NOISE))
    ours = run_all_taps(small_net(), NOISE[None])
    theirs = run_all_taps(changed_weight(small_net(), CHANGED, by=1.0), NOISE[None])
    names = [layer.layer for layer in found.layers]
    assert names == [tap.name for tap in found.models[0].manifest.graph.taps]

    before = names.index(CHANGED)
    assert before > 3
    assert {layer.difference.max_absolute for layer in found.layers[:before]} == {0.0}
    for layer in found.layers[before:]:
        one, other = (taps[layer.layer].astype(float) for taps in (ours, theirs))
        assert layer.shape == one.shape[1:]
        assert layer.difference.max_absolute == pytest.approx(np.abs(one - other).max(), rel=1e-4)
        assert layer.difference.mean_absolute == pytest.approx(np.abs(one - other).mean(), rel=1e-4)
        expected = np.linalg.norm(one - other) / np.linalg.norm(one)
        assert layer.difference.relative == pytest.approx(expected, rel=1e-4)
        assert layer.difference.relative > 0
    answers = [taps["probabilities"][0] for taps in (ours, theirs)]
    expected = np.abs(answers[0] - answers[1]).max()
    assert found.agreement.max_probability_difference == pytest.approx(expected, rel=1e-3)


def test_net_with_other_names_is_matched_by_place(catalog: Catalog) -> None:
    """The same weights under other names: every layer finds its own, without a difference."""
    found = compared(catalog, "net@1", "renamed", png(NOISE))
    assert not found.unmatched
    by_name = {layer.layer: layer for layer in found.layers}
    assert by_name["conv2/Conv"].other_layer == "my.conv2/Conv"
    assert {layer.difference.max_absolute for layer in found.layers} == {0.0}


def test_labels_are_compared_by_their_text(catalog: Catalog) -> None:
    """The same net with other labels: blue is the first class of one and the last of the other."""
    found = compared(catalog, "colors", "swapped", flat("red"))
    probabilities = np.exp([10, 0, 0]) / np.exp([10, 0, 0]).sum()
    assert not found.agreement.agree
    # shared are green, which is the same, and blue: the last of one, the first of the other
    expected = probabilities[0] - probabilities[2]
    assert found.agreement.max_probability_difference == pytest.approx(expected, rel=1e-4)
    assert {layer.difference.max_absolute for layer in found.layers} == {0.0}


def test_models_without_a_label_in_common_have_no_difference(catalog: Catalog) -> None:
    """Nothing can be said of probabilities then, and layers of other shapes are not compared."""
    found = compared(catalog, "colors", "net", png(NOISE))
    assert found.agreement.max_probability_difference is None
    assert not found.agreement.agree
    missing = {layer.reason for layer in found.unmatched}
    assert missing == {"only the first model has it", "only the second model has it"}


def test_masks_agree_where_the_label_is_the_same(catalog: Catalog) -> None:
    """Two thirds of a picture, red above green above blue, are of other labels in `other`."""
    bands = np.zeros((12, 16, 3), np.uint8)
    for number in range(3):
        bands[4 * number : 4 * number + 4, :, number] = 255
    found = compared(catalog, "paint", "other", png(bands))
    assert found.agreement.agreement == pytest.approx(1 / 3)
    shares = [[share.label for share in answer.shares()] for answer in found.answers]
    assert sorted(shares[0]) == sorted(shares[1]) == ["blue", "green", "red"]
    assert found.agreement.max_probability_difference > 0.9


def test_masks_of_other_sizes_are_compared_on_the_picture(catalog: Catalog) -> None:
    """Layers have other shapes then, which is told, and pixels are not compared one by one."""
    half = np.zeros((24, 32, 3), np.uint8)
    half[:, :16, 0], half[:, 16:, 1] = 255, 255
    found = compared(catalog, "paint", "large", png(half))
    assert 0.9 < found.agreement.agreement <= 1.0
    assert found.agreement.max_probability_difference is None
    assert not found.layers
    assert found.unmatched == (
        Unmatched("conv/Conv", "conv/Conv", "the shapes differ: 3 x 12 x 16 and 3 x 24 x 32"),
    )


def test_sounds_agree_for_a_share_of_the_time(catalog: Catalog) -> None:
    """A coarser segmenter draws its borders elsewhere, by half of its frames at most."""
    sound = stored(np.concatenate([tone(0.5), np.zeros(4000, np.float32), tone(0.5)]))
    found = compared(catalog, "pauses", "coarse", sound)
    assert 0.85 < found.agreement.agreement < 1.0
    assert not found.agreement.agree


def test_quantised_twin_is_near(tmp_path: Path) -> None:
    """INT8 weights and activations: all layers match by name, and differ by a few per cent."""
    original = ROOT / "models" / "digits" / "1"
    shutil.copytree(original, tmp_path / "digits" / "1")
    write_int8_twin(original, tmp_path / "digits" / "2")
    with np.load(original / "golden.npz") as golden:
        (name,) = (key for key in golden.files if key.startswith("input."))
        digit = golden[name][0, :, :, 0]
    runners = Runners(1)
    settings = Settings(models_dir=tmp_path, device="cpu", threads=1, policy="all")
    catalog = open_live(settings, runners).catalog
    found = compared(catalog, "digits@1", "digits@2", png(digit))
    runners.close()

    assert not found.unmatched
    assert len(found.layers) == len(read_manifest(original).graph.taps)
    first = next(n for n, layer in enumerate(found.layers) if layer.op == "Conv")
    assert {layer.difference.relative for layer in found.layers[:first]} == {0.0}
    for layer in found.layers[first:]:
        assert 0 < layer.difference.relative < 0.1, layer.layer
        assert layer.difference.cosine > 0.99
    assert found.agreement.agree
    assert 0 < found.agreement.max_probability_difference < 0.05


def test_layers_are_held_in_groups(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all of them would be too much, the graph is run more often, with the same figures."""
    whole = compared(catalog, "net@1", "net@2", png(NOISE))
    monkeypatch.setattr("service.tasks.compare.measure._HELD", 4 * SIDE * SIDE)
    parts = compared(catalog, "net@1", "net@2", png(NOISE))
    assert [layer.layer for layer in parts.layers] == [layer.layer for layer in whole.layers]
    for one, other in zip(parts.layers, whole.layers, strict=True):
        assert one.difference.max_absolute == pytest.approx(other.difference.max_absolute, abs=1e-4)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["net"], "Two models are compared, not 1"),
        (["net"] * 3, "Two models are compared, not 3"),
        (["net", "paint"], "'net' does image-classification and 'paint' image-segmentation"),
        (["net", "net@"], "a version is a number from 1 on"),
        (["net", "net@0"], "a version is a number from 1 on"),
        (["net", "net@1@2"], "a version is a number from 1 on"),
        (["net", "net@" + "9" * 5000], "a version is a number from 1 on"),
        (["net", "net@１"], "a version is a number from 1 on"),
    ],
)
def test_what_cannot_be_compared_is_told(catalog: Catalog, names: list[str], sentence: str) -> None:
    """Before anything is run."""
    with pytest.raises(InvalidParameter, match=sentence):
        two_models(catalog, names)


def test_unknown_model_brings_the_nearest_names(catalog: Catalog) -> None:
    """As everywhere."""
    with pytest.raises(UnknownModel, match="Did you mean 'colors'"):
        two_models(catalog, ["net", "colours"])


def test_picture_whose_layers_would_not_fit_is_refused(tmp_path: Path) -> None:
    """As for feature maps: a segmenter that resizes nothing is not looked at in tiles."""
    write_segmenter(tmp_path, "paint", resize="none")
    runners = Runners(1)
    catalog = open_live(Settings(models_dir=tmp_path, device="cpu", threads=1), runners).catalog
    with pytest.raises(TooLarge, match="at most 1,048,576 pixels"):
        compared(catalog, "paint", "paint", flat("red", size=(1100, 1000)))
    runners.close()


def test_nobody_waits_so_nothing_is_run(catalog: Catalog) -> None:
    """Whoever left before it began costs no run."""
    gone = Event()
    gone.set()
    with pytest.raises(DeadlineExceeded):
        compare(two_models(catalog, ["net", "net"]), png(NOISE), 0.0, gone)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("one", "other", "data"),
    [
        ("net@1", "net@2", png(NOISE)),
        ("net", "net", png(NOISE)),
        ("net", "colors", png(NOISE)),
        ("paint", "large", png(NOISE)),
        ("pauses", "coarse", stored(tone(0.5))),
    ],
)
def test_every_comparison_is_drawn(catalog: Catalog, one: str, other: str, data: bytes) -> None:
    """With differences, without any, and without a layer in common."""
    image = Image.open(io.BytesIO(render_comparison(compared(catalog, one, other, data))))
    assert max(image.size) <= 2048
    assert len(image.convert("RGB").getcolors(2**24)) > 20
