from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from service.contract.specs import AudioPreprocessing
from tests.adopt.added import added, assert_maps_are_those_of_the_whole, say
from tests.adopt.graphs import model, save, value

TASK = "audio-classification"
RATE = ("--sample-rate", "8000")
WINDOW = 400


def listener(
    channel: bool = True, samples: object = WINDOW, softmax: bool = False
) -> onnx.ModelProto:
    """Two convolutions along the time, and their mean."""
    random = np.random.default_rng(4)
    constants = {
        "c.weight": random.normal(0, 1, (4, 1, 16)).astype(np.float32),
        "fc.weight": random.normal(0, 1, (4, 3)).astype(np.float32),
        "one": np.array([1]),
        "last": np.array([2]),
    }
    nodes = [
        helper.make_node("Conv", ["w" if channel else "x", "c.weight"], ["a"], strides=[4]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("ReduceMax", ["b", "last"], ["c"], keepdims=0),
        helper.make_node("MatMul", ["c", "fc.weight"], ["d" if softmax else "scores"]),
    ]
    if not channel:
        nodes.insert(0, helper.make_node("Unsqueeze", ["w", "one"], ["x"]))
    if softmax:
        nodes.append(helper.make_node("Softmax", ["d"], ["scores"], axis=-1))
    shape = ["n", 1, samples] if channel else ["n", samples]
    return model(nodes, [value("w", shape)], [value("scores", ["n", 3])], constants, opset=18)


def waves() -> np.ndarray:
    return np.random.default_rng(6).uniform(-1, 1, (3, WINDOW)).astype(np.float32)


@pytest.mark.parametrize("channel", [True, False])
@pytest.mark.parametrize("softmax", [True, False])
def test_waveform_is_classified(tmp_path: Path, channel: bool, softmax: bool) -> None:
    """With a channel axis or not; of probabilities, logits are the logarithm."""
    net = listener(channel, softmax=softmax)
    one = added(save(tmp_path, net), tmp_path, *RATE, task=TASK)

    given = waves()[:, None] if channel else waves()
    logits = ReferenceEvaluator(listener(channel)).run(None, {"w": given})[0]
    powers = np.exp(logits - logits.max(1, keepdims=True))
    wanted = powers / powers.sum(1, keepdims=True)
    answer = one.run(waves())
    np.testing.assert_allclose(answer["probabilities"], wanted, atol=1e-5)
    again = np.exp(answer["logits"])
    np.testing.assert_allclose(again / again.sum(1, keepdims=True), wanted, atol=1e-5)
    assert_maps_are_those_of_the_whole(one)


def test_window_and_scale_are_said(tmp_path: Path) -> None:
    """A graph for any length gets a window; one for 16-bit numbers gets them."""
    net = listener(channel=False, samples="t")
    flags = (*RATE, "--window-seconds", "0.05", "--hop-seconds", "0.02", "--scale", "32768")
    one = added(save(tmp_path, net), tmp_path, *flags, task=TASK)

    wanted = ReferenceEvaluator(net).run(None, {"w": waves() * np.float32(32768)})[0]
    np.testing.assert_allclose(one.run(waves())["logits"], wanted, rtol=1e-4)
    spec = one.manifest.preprocessing
    assert isinstance(spec, AudioPreprocessing)
    assert (spec.window_samples, spec.hop_samples) == (400, 160)


@pytest.mark.parametrize(
    ("net", "flags", "told"),
    [
        (listener(), (), "--sample-rate"),
        (listener(samples="t"), RATE, "--window-seconds"),
        (listener(), (*RATE, "--window-seconds", "2"), "must agree"),
        (listener(), (*RATE, "--preset", "imagenet"), "only --scale"),
        (listener(), (*RATE, "--hop-seconds", "2"), "no longer than the window"),
    ],
)
def test_what_is_missing_is_asked_for(
    tmp_path: Path, net: onnx.ModelProto, flags: tuple[str, ...], told: str
) -> None:
    """One sentence that names the flag."""
    result = say(save(tmp_path, net), tmp_path / "models", *flags, task=TASK)

    assert (result.exit_code, told in result.output) == (1, True)
