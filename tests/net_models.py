"""Version folders of small nets with several layers, whose weights a test may change."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from service.contract.golden import write_golden
from service.contract.manifest import (
    FileRef,
    Golden,
    Manifest,
    Provenance,
    Tensor,
    write_manifest,
)
from service.contract.specs import ImagePreprocessing
from tests.onnx_graphs import Net, open_session, write_graph

SIDE = 12
LABELS = tuple(f"class {number}" for number in range(5))


def small_net(prefix: str = "") -> onnx.ModelProto:
    """Return three convolutions with ReLU, pooling, a linear layer and a softmax.

    prefix: stands before the name of every layer.
    """
    net = Net(SIDE, SIDE, 3)
    for number in (1, 2, 3):
        net.conv(4, (3, 3), name=f"{prefix}conv{number}/Conv", pads=[1] * 4)
        # what is positive throughout would hide what a ReLU does
        level = net.constant(np.float32(3 * 9 ** (number - 1)))
        net.add("Sub", net.last, level, name=f"{prefix}level{number}/Sub")
        net.add("Relu", name=f"{prefix}relu{number}/Relu")
    net.add("GlobalAveragePool", name=f"{prefix}pool/GlobalAveragePool")
    net.node("Flatten", net.last, name=f"{prefix}flatten/Flatten")
    net.gemm(4, len(LABELS), name=f"{prefix}fc/Gemm")
    net.node("Mul", net.last, net.constant(np.float32(0.01)), name=f"{prefix}scaled/Mul")
    net.node("Softmax", net.last, name="probabilities", axis=1)
    return net.model()


def changed_weight(model: onnx.ModelProto, node: str, by: float) -> onnx.ModelProto:
    """Return the model with the first weight of the node's output so much larger."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    (weights,) = (n.input[1] for n in changed.graph.node if n.output[0] == node)
    for tensor in changed.graph.initializer:
        if tensor.name == weights:
            values = numpy_helper.to_array(tensor).copy()
            values.flat[0] += by
            tensor.CopyFrom(numpy_helper.from_array(values, weights))
    return changed


def write_net(
    root: Path,
    model: onnx.ModelProto,
    name: str = "net",
    version: int = 1,
    labels: tuple[str, ...] = LABELS,
) -> Path:
    """Write a complete version folder of the net, and return it."""
    folder = root / name / str(version)
    folder.mkdir(parents=True)
    _, entry = write_graph(model, folder)
    (folder / "CARD.md").write_text(f"# {name}\n")
    inputs = {"images": np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)}
    write_golden(folder / "golden.npz", inputs, open_session(model.SerializeToString())(inputs))
    shape = (None, len(labels))
    output = Tensor(name="probabilities", dtype="float32", shape=shape, role="probabilities")
    spec = ImagePreprocessing(
        color="rgb", resize="squash", height=SIDE, width=SIDE, mean=(0,) * 3, std=(1,) * 3
    )
    graph = entry.model_copy(update={"file": _ref(folder / "model.onnx"), "outputs": (output,)})
    manifest = Manifest(
        name=name,
        version=version,
        task="image-classification",
        description="Tells a few things apart.",
        preprocessing=spec,
        graphs=(graph,),
        labels=labels,
        golden=Golden(file=_ref(folder / "golden.npz")),
        provenance=Provenance(
            recipe="none", dataset="none", seed=0, created="2026-11-21", versions={}
        ),
        license="MIT",
    )
    write_manifest(folder, manifest)
    return folder


def _ref(file: Path) -> FileRef:
    return FileRef(path=file.name, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
