"""A third-party file as it was given: read, with all its weights inside, and understood so far."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx.inliner

from service.adopt.refusal import CannotAdd
from service.contract.errors import InvalidModel
from service.graph.external import external_files, parse_graph

OLDEST_OPSET = 7
# What protobuf can write into one file.
_LARGEST_BYTES = 2**31 - 2**20


@dataclass(frozen=True)
class Source:
    """The file.

    model: with its weights inside, none of them listed among the inputs, functions inlined.
    sha256: of the file itself.
    ir_version: of the format it is written in.
    """

    path: Path
    model: onnx.ModelProto
    sha256: str
    ir_version: int

    @property
    def opset(self) -> int:
        """Which version of ONNX's own operators the graph is written in."""
        return opset_of(self.model)

    @property
    def content(self) -> bytes:
        """The model as one file."""
        return bytes(self.model.SerializeToString())


def read_source(path: Path) -> Source:
    """Return the file, with its weights read from the files beside it.

    Raises: CannotAdd with a sentence if it cannot be read, is no ONNX graph, names weights
        that are not there, or is older than is served.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CannotAdd(f"{path} cannot be read: {error.strerror}.") from error
    model = _parse(path, content)
    if not model.graph.node:
        raise CannotAdd(f"{path} is no ONNX graph: it has no nodes.")
    opset = opset_of(model)
    if opset < OLDEST_OPSET:
        raise CannotAdd(
            f"{path} is written in opset {opset or 'unknown'}; {OLDEST_OPSET} is the oldest that "
            "can be served. onnx.version_converter may convert it."
        )
    if model.ByteSize() > _LARGEST_BYTES:
        raise CannotAdd(f"{path} has more than 2 GB of weights, which is more than one file holds.")
    _check_is_for_evaluation(model, path)
    digest, ir_version = hashlib.sha256(content).hexdigest(), model.ir_version
    return Source(path, _tidied(model), digest, ir_version)


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of ONNX's own operators, 0 if the model does not say."""
    versions = (e.version for e in model.opset_import if e.domain in ("", "ai.onnx"))
    return int(next(versions, 0))


def _parse(path: Path, content: bytes) -> onnx.ModelProto:
    try:
        names = external_files(content, path.name)
        files = {name: _beside(path, name) for name in names}
        return parse_graph(content, files, path.name)
    except InvalidModel as error:
        raise CannotAdd(f"{path} {error.reason}.") from error


def _beside(path: Path, name: str) -> bytes:
    file = path.parent / name
    if not name or not file.resolve().is_relative_to(path.parent.resolve()):
        raise CannotAdd(f"{path} has weights in {name!r}, which does not lie beside it.")
    try:
        return file.read_bytes()
    except OSError as error:
        raise CannotAdd(f"{path} has weights in {file}: {error.strerror}.") from error


def _check_is_for_evaluation(model: onnx.ModelProto, path: Path) -> None:
    for node in model.graph.node:
        learns = any(a.name == "training_mode" and a.i for a in node.attribute)
        if node.op_type == "BatchNormalization" and learns:
            raise CannotAdd(
                f"{path} has BatchNormalization in training mode, whose answers depend on what "
                "comes along in a batch: export the net in evaluation mode."
            )


def _tidied(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model without what hides its structure; what it computes stays the same."""
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    # before version 4 of the format every weight had to be an input as well, which may be replaced
    # at every run and so keeps ONNX Runtime from preparing it
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(4, model.ir_version)
    return model
