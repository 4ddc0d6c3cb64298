"""Models whose probabilities can be worked out by hand: a weight for each pixel, and a softmax."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from service.contract.golden import write_golden
from tests.onnx_graphs import open_session
from tests.tiny_models import LABELS, SIZE, change_manifest, sign, write_model


def linear_graph(weights: np.ndarray, bias: np.ndarray) -> onnx.ModelProto:
    """Return a net whose logits are the sum of pixels in 0..1, weighted, plus a bias.

    weights: (3, 3, 8, 8): classes, channels, rows, columns. bias: (3,).
    """
    nodes = [
        ("Cast", ["images"], "input/Cast", {"to": TensorProto.FLOAT}),
        ("Mul", ["input/Cast", "scale"], "input/Mul", {}),
        ("Transpose", ["input/Mul"], "input/Transpose", {"perm": [0, 3, 1, 2]}),
        ("Conv", ["input/Transpose", "conv.weight", "conv.bias"], "conv/Conv", {}),
        ("Flatten", ["conv/Conv"], "logits", {}),
        ("Softmax", ["logits"], "probabilities", {"axis": 1}),
    ]
    constants = {
        "scale": np.float32(1 / 255),
        "conv.weight": weights.astype(np.float32),
        "conv.bias": bias.astype(np.float32),
    }
    graph = helper.make_graph(
        [helper.make_node(op, inputs, [output], **how) for op, inputs, output, how in nodes],
        "linear",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", len(LABELS)])],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
    )
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)])


def write_linear(
    root: Path, weights: np.ndarray, bias: np.ndarray, name: str = "linear", version: int = 1
) -> Path:
    """Write a complete version folder of `linear_graph`, and return it."""
    graph = linear_graph(weights, bias)
    folder = write_model(root, name, version, graph)
    images = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)
    run = open_session(graph.SerializeToString())
    write_golden(folder / "golden.npz", {"images": images}, run({"images": images}))
    tap = {"name": "conv/Conv", "modules": ["conv"], "op": "Conv", "shape": [3, 1, 1]}
    tap |= {"stride": [1, 1], "receptive_field": [SIZE, SIZE]}
    change_manifest(folder, lambda manifest: manifest["graphs"][0].update(taps=[tap]))
    sign(folder)
    return folder
