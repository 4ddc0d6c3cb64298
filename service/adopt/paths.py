"""Readable paths for the tensors of a graph: those that its author gave, else made from operators.

Exporters keep the author's names in different places: PyTorch in tensor names, in metadata and in
the names of weights, TensorFlow and Keras in scopes, Caffe2 in the names of weights.
"""

import ast
import re
from collections.abc import Iterable, Mapping

import onnx

# Of operators with weights, which input holds them.
_WEIGHT = {
    "Conv": 1,
    "ConvTranspose": 1,
    "Gemm": 1,
    "MatMul": 1,
    "BatchNormalization": 1,
    "InstanceNormalization": 1,
    "LayerNormalization": 1,
    "GroupNormalization": 1,
    "PRelu": 1,
    "QLinearConv": 3,
    "QLinearMatMul": 3,
    "QGemm": 3,
}
# What stands between a weight as it is stored and the operator that reads it.
_BETWEEN = {"DequantizeLinear", "QuantizeLinear", "Transpose", "Identity", "Cast", "Reshape"}
# They change the form of what they are given, not what it is.
_INHERITS = {"QuantizeLinear", "DequantizeLinear", "Cast", "Identity"}
_SCOPES = "pkg.torch.onnx.name_scopes"
_QUANTISED = re.compile(r"(_quantized|_quant|_(Deq|Q)uantizeLinear(_(In|Out)put)?)$")
_WEIGHT_SUFFIX = re.compile(
    r"([._/](weights?|kernel|gamma|scale|filter|depthwise_kernel|pointwise_kernel)(_\d+)?"
    r"|_[ws]_\d+|[._/][wW]\d?|/ReadVariableOp(_\d+)?|/read|__\d+|:\d+)+$"
)
_WRAPPERS = {"StatefulPartitionedCall", "PartitionedCall", "model", "module", "net", "gpu_0"}
# Names that exporters count up, which tell nothing.
_COUNTED = re.compile(
    r"(onnx::)?([a-zA-Z]|val|getitem|output|out|tmp|node|tensor|var|result|input|slice|const_fold_opt"
    r"|Parameter|Plus|Block|Times|node_\w*)?_*\d*(_\d+)*"
)
_TF_OPS = """
    add addv2 avgpool batchnormalization biasadd concat concatv2 conv1d conv2d conv2dbackpropinput
    depthwise dense fusedbatchnorm fusedbatchnormv2 fusedbatchnormv3 identity leakyrelu matmul
    maxpool mean mul relu relu6 reshape sigmoid softmax squeeze sub swish tanh transpose
""".split()  # noqa: SIM905, a list would take a line a name


def node_paths(graph: onnx.GraphProto, nodes: Iterable[onnx.NodeProto]) -> list[str]:
    """Return a path for each node, such as `layer1.0.conv1`, or `conv12` where nothing tells.

    They follow from the file alone, so that they are the same whenever it is read.
    """
    sources = {output: node for node in graph.node for output in node.output}
    found: dict[str, str] = {}
    counts: dict[str, int] = {}
    paths = []
    for node in nodes:
        counts[node.op_type] = counts.get(node.op_type, 0) + 1
        inherited = found.get(node.input[0]) if node.op_type in _INHERITS and node.input else None
        path = inherited or _told(node, sources) or f"{_kind(node)}{counts[node.op_type]}"
        found.update(dict.fromkeys(node.output, path))
        paths.append(path)
    return paths


def _told(node: onnx.NodeProto, sources: Mapping[str, onnx.NodeProto]) -> str:
    """Return what the file itself calls the place of the node, or nothing."""
    output = node.output[0] if node.output else ""
    return (
        _of_weight(node, sources)
        or _of_scopes(node)
        or _of_scoped_name(node.name, node.op_type)
        or _of_scoped_name(output, node.op_type)
        or _of_plain_name(node.name, node.op_type)
        or _of_plain_name(output, node.op_type)
    )


def _of_weight(node: onnx.NodeProto, sources: Mapping[str, onnx.NodeProto]) -> str:
    """Return the path in a weight's name: `layer1.0.conv1` of `layer1.0.conv1.weight`."""
    position = _WEIGHT.get(node.op_type)
    if position is None or position >= len(node.input):
        return ""
    name = node.input[position]
    while name in sources and sources[name].op_type in _BETWEEN and sources[name].input:
        name = sources[name].input[0]
    name = _QUANTISED.sub("", name)
    path = _WEIGHT_SUFFIX.sub("", name)
    return "" if path == name else _joined(_without_op(path.split("/"), node.op_type))


def _of_scopes(node: onnx.NodeProto) -> str:
    """Return the path in the metadata of torch.onnx.export: that of the innermost module."""
    text = next((entry.value for entry in node.metadata_props if entry.key == _SCOPES), "[]")
    try:
        scopes = ast.literal_eval(text)[:-1]  # the last one is the operation itself
    except (ValueError, SyntaxError):
        return ""
    return _clean(next((str(scope) for scope in reversed(scopes) if scope), ""))


def _of_scoped_name(name: str, op: str) -> str:
    """Return the path in a name with slashes.

    >>> _of_scoped_name("/layer1/layer1.0/conv1/Conv_output_0", "Conv")
    'layer1.0.conv1'
    >>> _of_scoped_name("StatefulPartitionedCall/resnet/block1/conv/Conv2D:0", "Conv")
    'resnet.block1.conv'
    """
    parts = [part for part in _QUANTISED.sub("", name).split("/") if part]
    if "/" not in name or not parts:
        return ""
    parts[-1] = re.sub(r"(:\d+|__\d+)+$", "", parts[-1])
    return _joined(_without_op(parts, op))


def _without_op(parts: list[str], op: str) -> list[str]:
    """Return the parts of a path without the last one if that is merely the operator."""
    last = re.sub(r"(__\d+|:\d+|_output_\d+|_\d+)+$", "", parts[-1]).lower()
    plain = op.lower().removeprefix("qlinear").removeprefix("q")
    return parts[:-1] if last in (op.lower(), plain, *_TF_OPS) else parts


def _of_plain_name(name: str, op: str) -> str:
    """Return the path in a name without slashes, if it tells anything.

    >>> _of_plain_name("Conv_12", "Conv"), _of_plain_name("193", "Conv")
    ('conv12', '')
    """
    if "/" in name:
        return ""
    name = _clean(_QUANTISED.sub("", name).removesuffix(":0")).removeprefix("p2o.")
    counted = re.fullmatch(rf"(node_)?{op}[._-]?(\d+)", name, re.IGNORECASE)
    if counted:
        return f"{op.lower()}{counted[2]}"
    told = name and not _COUNTED.fullmatch(name) and name.lower() != op.lower()
    return name if told else ""


def _joined(parts: Iterable[str]) -> str:
    """Return one path for scopes, of which a torch one may repeat the one around it.

    >>> _joined(["layer1", "layer1.0", "conv1"])
    'layer1.0.conv1'
    """
    path: list[str] = []
    for part in (part for part in parts if part):
        if path and part.startswith(path[-1] + "."):
            path[-1] = part
        elif path or part not in _WRAPPERS:
            path.append(part)
    return _clean(".".join(path))


def _clean(path: str) -> str:
    """Return the path with nothing in it that would have to be escaped in a URL."""
    kept = re.sub(r"[^A-Za-z0-9._-]+", "_", path.replace("/", ".")).strip("._")
    return kept if re.search(r"[A-Za-z]", kept) else ""


def _kind(node: onnx.NodeProto) -> str:
    return node.op_type.lower().removeprefix("qlinear")
