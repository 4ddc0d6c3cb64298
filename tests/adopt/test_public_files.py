from pathlib import Path

import numpy as np
import onnx
import pytest

from service.graph.layers import describe_layers
from tests.adopt.added import added, assert_maps_are_those_of_the_whole

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
# Two layers of each by the names that their authors gave them.
NETS = {
    "bvlc_alexnet": ("conv1/Conv", "fc8/Gemm"),
    "densenet121": ("conv1.bn/BatchNormalization", "fc6/Conv"),
    "inception_v1": ("conv1.7x7_s2/Conv", "inception_3a.1x1/Conv"),
    "inception_v2": ("conv1.7x7_s2/Conv", "conv2.3x3.bn/BatchNormalization"),
    "resnet50": ("conv1/Conv", "res2_0_branch2a/Conv"),
    "shufflenet": ("gconv1_0/Conv", "pred/Gemm"),
    "squeezenet": ("fire2.expand1x1/Conv", "conv10/Conv"),
    "vgg19": ("conv1_1/Conv", "fc8/Gemm"),
    "zfnet512": ("conv1/Conv", "fc6/Gemm"),
}


@pytest.mark.parametrize("name", NETS)
def test_public_net_is_added_described_and_looked_into(name: str, tmp_path: Path) -> None:
    """Nets that nobody here made have readable layers, true maps, and answers."""
    one = added(LIGHT / f"light_{name}.onnx", tmp_path, "--preset", "imagenet")

    manifest = one.manifest
    taps = {tap.name: tap for tap in manifest.graph.taps}
    assert set(NETS[name]) <= set(taps)
    assert manifest.graph.inputs[0].shape == (1, 224, 224, 3)
    assert len(manifest.labels) == 1000
    # the heaviest one is looked into once
    assert_maps_are_those_of_the_whole(one, count=1 if name == "vgg19" else 3)
    answer = one.run(one.sample())["probabilities"]
    assert answer.shape == (1, 1000)
    assert answer.sum() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "parameters", "macs"),
    [
        ("bvlc_alexnet", 60_965_224, 654_560_384),
        ("vgg19", 143_667_240, 19_632_062_464),
        ("resnet50", 25_557_032, None),
    ],
)
def test_published_figures_come_out(name: str, parameters: int, macs: int | None) -> None:
    """The parameters are those of the papers' nets, whose weights the files make themselves."""
    totals = describe_layers(onnx.load(LIGHT / f"light_{name}.onnx")).totals

    assert totals.parameters == parameters
    assert macs in (None, totals.macs)


def test_receptive_fields_reach_the_end_of_a_public_net(tmp_path: Path) -> None:
    """Every layer of ResNet-50 tells what it sees; its stem sees 7, then 11 pixels."""
    one = added(LIGHT / "light_resnet50.onnx", tmp_path, "--preset", "imagenet")

    taps = {tap.name: tap for tap in one.manifest.graph.taps}
    assert all(tap.receptive_field for tap in taps.values())
    assert taps["conv1/Conv"].receptive_field == (7, 7)
    assert taps["maxpool1/MaxPool"].receptive_field == (11, 11)
    assert taps["maxpool1/MaxPool"].stride == (4, 4)
    assert np.array(taps["pred/Gemm"].receptive_field).tolist() == [224, 224]
