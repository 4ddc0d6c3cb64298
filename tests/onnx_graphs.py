"""Small ONNX graphs written layer by layer, with no training framework in sight."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from service.contract.manifest import FileRef, Graph, Tap, Tensor
from service.graph.layers import describe_layers

OPSET = 20


class Net:
    """A graph that takes `images`, uint8 (batch, H, W, C), and grows by one node a call.

    Weights are positive, so that brighter pixels can only make every later cell larger.
    """

    def __init__(self, height: int, width: int, channels: int, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.inputs = [
            helper.make_tensor_value_info(
                "images", onnx.TensorProto.UINT8, ["batch", height, width, channels]
            )
        ]
        self.node("Cast", "images", name="input/Cast", to=onnx.TensorProto.FLOAT)
        self.node("Mul", "input/Cast", self.constant(np.float32(1 / 255)), name="input/Mul")
        self.last = self.node(
            "Transpose", "input/Mul", name="input/Transpose", perm=[0, 3, 1, 2]
        )  # fmt: skip
        self.channels = {self.last: channels}

    def constant(self, values: Any, name: str = "") -> str:
        """Add an initializer and return its name."""
        name = name or f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def weight(self, *shape: int, name: str = "") -> str:
        """Add positive random numbers of that shape and return their name."""
        return self.constant(self._random.uniform(0.5, 1, shape).astype(np.float32), name)

    def node(self, op: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        name = name or f"{op.lower()}{len(self.nodes)}/{op}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        self.last = name
        return name

    def add(self, op: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node that keeps the number of channels, behind the last one unless told."""
        source = inputs[0] if inputs else self.last
        output = self.node(op, source, *inputs[1:], name=name, **attributes)
        self.channels[output] = self.channels[source]
        return output

    def conv(
        self, filters: int, kernel: tuple[int, ...], source: str = "", name: str = "", **how: Any
    ) -> str:
        """Add a convolution with a bias, behind the last node unless told otherwise."""
        source = source or self.last
        depth = self.channels[source] // how.get("group", 1)
        weight, bias = self.weight(filters, depth, *kernel), self.weight(filters)
        output = self.node("Conv", source, weight, bias, name=name, **how)
        self.channels[output] = filters
        return output

    def gemm(self, inputs: int, outputs: int, name: str = "") -> str:
        """Add a fully connected layer behind the last node."""
        weight, bias = self.weight(outputs, inputs), self.weight(outputs)
        return self.node("Gemm", self.last, weight, bias, name=name, transB=1)

    def model(self, *outputs: str) -> onnx.ModelProto:
        """Return the model; its output is the last node's unless told otherwise."""
        values = [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            for name in outputs or (self.last,)
        ]
        graph = helper.make_graph(self.nodes, "net", self.inputs, values, self.initializers)
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(graph, ir_version=10, opset_imports=[opset])


def open_session(model: bytes) -> "Session":
    """Return the model ready to run on one thread."""
    return Session(model)


class Session:
    """Runs a serialised model with ONNX Runtime; arrays by name in and out."""

    def __init__(self, model: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
        self.outputs = [output.name for output in self._session.get_outputs()]

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return dict(zip(self.outputs, self._session.run(None, dict(inputs)), strict=True))


def run_all_taps(model: onnx.ModelProto, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Return every tap of the layer table, computed by the whole graph at once."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    for layer in describe_layers(model).layers:
        shown.graph.output.add(name=layer.name)
    return open_session(shown.SerializeToString())({"images": images})


def write_graph(
    model: onnx.ModelProto, folder: Path, modules: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[Path, Graph]:
    """Write `model.onnx` and return it with its entry for the manifest.

    modules: the module paths of each tap; where not told, what stands before the slash.
    """
    file = folder / "model.onnx"
    onnx.save(model, file)
    taps = tuple(
        Tap(
            name=layer.name,
            modules=(modules or {}).get(layer.name, (layer.module,)),
            op=layer.op,
            shape=layer.shape,
            stride=layer.jump,
            receptive_field=layer.receptive_field,
        )
        for layer in describe_layers(model).layers
    )
    sizes = [axis.dim_value or None for axis in model.graph.input[0].type.tensor_type.shape.dim]
    graph = Graph(
        file=FileRef(path=file.name, sha256="0" * 64),
        opset=OPSET,
        inputs=(Tensor(name="images", dtype="uint8", shape=tuple(sizes)),),
        outputs=(Tensor(name=model.graph.output[0].name, dtype="float32", shape=(None, 10)),),
        taps=taps,
    )
    return file, graph


def residual_net(height: int = 20, width: int = 16) -> onnx.ModelProto:
    """Return a stem, one residual block with a strided shortcut, pooling and a linear head.

    Module paths: `stem`, `block` (its output is `block/Relu`), `pool`, `fc`.
    """
    net = Net(height, width, 3)
    net.conv(4, (3, 3), name="stem/Conv", pads=[1, 1, 1, 1])
    stem = net.add("Relu", name="stem.relu/Relu")
    net.conv(6, (3, 3), name="block.conv1/Conv", strides=[2, 2], pads=[1, 1, 1, 1])
    net.add("Relu", name="block.relu/Relu")
    right = net.conv(6, (3, 3), name="block.conv2/Conv", pads=[1, 1, 1, 1])
    left = net.conv(6, (1, 1), stem, name="block.shortcut/Conv", strides=[2, 2])
    net.add("Add", right, left, name="block/Add")
    net.add("Relu", name="block/Relu")
    net.add("GlobalAveragePool", name="pool/GlobalAveragePool")
    net.node("Flatten", net.last, name="flatten/Flatten")
    net.gemm(6, 10, name="fc/Gemm")
    return net.model()
