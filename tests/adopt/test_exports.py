import contextlib
import io
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from service.graph.layers import describe_layers
from tests.adopt.added import added, assert_maps_are_those_of_the_whole
from training.nets.registry import build_net

CLASSES, SIDE = 10, 32
IMAGENET = ("--preset", "imagenet")
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def trained_net(seed: int = 0) -> nn.Module:
    """A residual net whose statistics are those of no fresh one, so that folding would show."""
    torch.manual_seed(seed)
    net = build_net("resnet", CLASSES, 3, {"depths": [2, 2, 2]})
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return net.eval()


class ChannelsLast(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.net(pictures.permute(0, 3, 1, 2)).softmax(1)


def export(net: nn.Module, file: Path, example: torch.Tensor, **how: Any) -> Path:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (example,), str(file), **how)
    return file


def probabilities(net: nn.Module, images: np.ndarray) -> np.ndarray:
    """What PyTorch says of the pictures."""
    numbers = ((images / 255 - MEAN) / STD).transpose(0, 3, 1, 2).astype(np.float32)
    with torch.inference_mode():
        return net(torch.from_numpy(numbers)).softmax(1).numpy()


def pictures() -> np.ndarray:
    return np.random.default_rng(9).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)


OPEN = {"dynamic_axes": {"x": {0: "n"}}, "input_names": ["x"]}
KEPT: dict[str, Any] = {
    "training": torch.onnx.TrainingMode.PRESERVE,
    "do_constant_folding": False,
}


@pytest.mark.parametrize(
    ("opset", "how"),
    [
        (11, {"dynamo": False, **OPEN}),
        (13, {"dynamo": False}),
        (17, {"dynamo": False, **OPEN, **KEPT}),
        (20, {"dynamo": True, "verbose": False}),
    ],
    ids=["11", "13-fixed", "17-batchnorm", "20-dynamo"],
)
def test_export_answers_as_pytorch_does(tmp_path: Path, opset: int, how: dict[str, Any]) -> None:
    """Old exporter and new, batch open and fixed, batch normalisation folded and not."""
    net = trained_net()
    example = torch.zeros(1, 3, SIDE, SIDE)
    one = added(
        export(net, tmp_path / "net.onnx", example, opset_version=opset, **how),
        tmp_path,
        *IMAGENET,
    )

    np.testing.assert_allclose(
        one.run(pictures())["probabilities"], probabilities(net, pictures()), atol=1e-5
    )
    taps = {tap.name for tap in one.manifest.graph.taps}
    assert "layer1.0.conv1.conv/Conv" in taps, sorted(taps)
    ops = {tap.op for tap in one.manifest.graph.taps}
    assert ("BatchNormalization" in ops) == (opset == 17)
    assert all(tap.receptive_field for tap in one.manifest.graph.taps)
    assert_maps_are_those_of_the_whole(one)
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    weights = sum(module.weight.numel() for module in convolutions)
    assert describe_layers(one.graph).totals.parameters >= weights


def test_channels_last_export_has_maps_channels_first(tmp_path: Path) -> None:
    """A net that transposes its input itself; its maps are (C, H, W) like all others."""
    net = trained_net()
    example = torch.zeros(1, SIDE, SIDE, 3)
    file = export(
        ChannelsLast(net).eval(), tmp_path / "net.onnx", example, opset_version=17, dynamo=False
    )
    one = added(file, tmp_path, *IMAGENET)

    np.testing.assert_allclose(
        one.run(pictures())["probabilities"], probabilities(net, pictures()), atol=1e-5
    )
    convolution = next(tap for tap in one.manifest.graph.taps if tap.op == "Conv")
    assert convolution.shape[1:] == (SIDE, SIDE)
    assert_maps_are_those_of_the_whole(one)


def test_half_precision_export_is_served(tmp_path: Path) -> None:
    """Weights, input and output in float16; maps come as float32."""
    net = trained_net()
    images = pictures()
    wanted = probabilities(net, images)
    file = export(
        net.half(),
        tmp_path / "net.onnx",
        torch.zeros(1, 3, SIDE, SIDE).half(),
        opset_version=17,
        dynamo=False,
        **OPEN,
    )
    one = added(file, tmp_path, *IMAGENET)

    assert one.manifest.graph.precision == "float16"
    np.testing.assert_allclose(one.run(images)["probabilities"], wanted, atol=2e-2)
    assert_maps_are_those_of_the_whole(one)
