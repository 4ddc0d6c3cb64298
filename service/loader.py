"""Verifies one model version and loads it; what breaks the contract is refused."""

import hashlib
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service.contract.errors import InvalidModel, ModelNotReady
from service.contract.golden import Arrays, check_golden
from service.contract.manifest import (
    CARD_NAME,
    MANIFEST_NAME,
    FileRef,
    Manifest,
    Tap,
    Tensor,
    read_manifest,
)
from service.device import Placement
from service.runtime import CPU, Session, TensorInfo, open_session

# Searching so much takes about a millisecond, in which no other thread can run.
_STEP_BYTES = 1024 * 1024


@dataclass(frozen=True)
class LoadedModel:
    """A version that kept its promise on the provider it was placed on.

    golden_difference: largest absolute difference from PyTorch's golden outputs.
    graph_bytes: size of the graph, weights in other files included.
    """

    manifest: Manifest
    folder: Path
    session: Session
    golden_difference: float
    graph_bytes: int


def load_version(folder: Path, repository: Path, placement: Placement) -> LoadedModel:
    """Verify and load `<repository>/<name>/<version>/`.

    The golden inputs go every way that requests may take, so it is warm afterwards.
    Raises: InvalidModel, naming the file and what is wrong with it; DeviceUnavailable.
    """
    version = _Version(folder, repository)
    version.require(MANIFEST_NAME)
    manifest = read_manifest(folder)
    version.require(CARD_NAME)
    contents = {file.path: version.verified(file) for file in _graph_files(manifest)}
    golden = manifest.golden
    version.verified(golden.file)
    graph = manifest.graph
    shown_as = version.shown_as(graph.file.path)
    content = contents[graph.file.path]
    external = {file.path: contents[file.path] for file in graph.external}
    _check_external(content, external, shown_as)
    session = open_session(content, shown_as, placement, external)
    _check_ends("input", graph.inputs, session.inputs, shown_as)
    _check_ends("output", graph.outputs, session.outputs, shown_as)
    _check_taps(content, graph.taps, shown_as)

    def difference(alone: bool) -> float:
        def run(inputs: Arrays) -> Arrays:
            try:
                return session.run(inputs, alone)
            except Exception as error:  # ONNX Runtime's exceptions have no base class of their own
                raise InvalidModel(shown_as, f"fails on its golden inputs: {error}") from error

        golden_as = version.shown_as(golden.file.path)
        return check_golden(folder / golden.file.path, golden, graph, run, golden_as)

    ways = (False, True) if session.has_two else (False,)
    if session.execution_provider != CPU:
        _warm_up(session, manifest, placement.gpu.warm_up_sizes, shown_as)
    graph_bytes = len(content) + sum(map(len, external.values()))
    return LoadedModel(manifest, folder, session, max(map(difference, ways)), graph_bytes)


def _warm_up(session: Session, manifest: Manifest, sizes: Iterable[int], shown_as: str) -> None:
    """Run batches of those sizes: on a GPU the first of each shape is slow, or does not fit.

    A graph for pictures of any size gets pictures of the size that it was trained on, one for
    sounds gets windows of its length.
    """
    for size in sizes:
        open_axes = dict(enumerate((size, *manifest.preprocessing.reference_size)))
        batch = {
            tensor.name: np.zeros(
                [axis or open_axes.get(i, 1) for i, axis in enumerate(tensor.shape)], tensor.dtype
            )
            for tensor in manifest.graph.inputs
        }
        try:
            session.run(batch)
        except Exception as error:  # ONNX Runtime's exceptions have no base class of their own
            raise InvalidModel(shown_as, f"fails on a batch of {size}: {error}") from error


def reread_graph(model: LoadedModel) -> tuple[bytes, dict[str, bytes]]:
    """Return the graph that was loaded, and by name the files in which weights of it lie.

    Raises: ModelNotReady if the files are not those any more that were loaded.
    """
    version = _Version(model.folder, model.folder.parents[1])
    graph = model.manifest.graph
    try:
        content = version.verified(graph.file)
        return content, {file.path: version.verified(file) for file in graph.external}
    except InvalidModel as error:
        raise ModelNotReady(f"The model's files changed since it was loaded: {error}.") from error


class _Version:
    """The files of one version folder."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self._folder = folder
        self._repository = repository

    def shown_as(self, name: str) -> str:
        return f"{self._folder.parent.name}/{self._folder.name}/{name}"

    def require(self, name: str) -> Path:
        """Return the file's path if it is there and lies inside the repository."""
        file = self._folder / name
        if not file.resolve().is_relative_to(self._repository.resolve()):
            raise InvalidModel(self.shown_as(name), "is a link that leads out of the repository")
        if not file.is_file():
            raise InvalidModel(self.shown_as(name), "is missing")
        return file

    def verified(self, reference: FileRef) -> bytes:
        """Return the file's content if it has the digest that the manifest gives."""
        file = self.require(reference.path)
        try:
            content = file.read_bytes()
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
            raise InvalidModel(self.shown_as(reference.path), reason) from error
        digest = hashlib.sha256(content).hexdigest()
        if digest != reference.sha256:
            raise InvalidModel(
                self.shown_as(reference.path),
                f"has sha256 {digest[:12]}..., but the manifest says {reference.sha256[:12]}...",
            )
        return content


def _graph_files(manifest: Manifest) -> list[FileRef]:
    return [file for graph in manifest.graphs for file in (graph.file, *graph.external)]


def _check_external(content: bytes, listed: Container[str], shown_as: str) -> None:
    """Refuse a graph with weights in files that the manifest does not list."""
    # Every tensor whose data lie elsewhere must say where under this key, and importing onnx
    # in order to look costs start-up time.
    if not _contains(content, b"location"):
        return
    from service.graph.external import external_files

    for name in sorted(external_files(content, shown_as)):
        if name not in listed:
            raise InvalidModel(
                shown_as, f"has weights in the file {name!r}, which the manifest does not list"
            )


def _check_taps(content: bytes, taps: Iterable[Tap], shown_as: str) -> None:
    """Refuse a graph that has no node output of a tap's name."""
    for tap in taps:
        # as protobuf writes it: the field `output` of a node, its length, the name
        if not _contains(content, b"\x12" + _varint(len(tap.name.encode())) + tap.name.encode()):
            raise InvalidModel(
                shown_as, f"has no tensor {tap.name!r}, which the manifest lists as a tap"
            )


def _contains(content: bytes, wanted: bytes) -> bool:
    """Return whether the bytes are there, letting other threads run in between."""
    return any(
        content.find(wanted, begin, begin + _STEP_BYTES + len(wanted)) >= 0
        for begin in range(0, len(content), _STEP_BYTES)
    )


def _varint(number: int) -> bytes:
    """Return the number as protobuf writes it: seven bits a byte, the lowest first."""
    digits = []
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def _check_ends(
    kind: str, promised: Iterable[Tensor], found: Iterable[TensorInfo], shown_as: str
) -> None:
    """Hold the manifest's inputs or outputs against those that the graph really has."""
    by_name = {tensor.name: tensor for tensor in found}
    wanted = {tensor.name: tensor for tensor in promised}
    if set(wanted) != set(by_name):
        raise InvalidModel(
            shown_as, f"has the {kind}s {sorted(by_name)}, but the manifest says {sorted(wanted)}"
        )
    for name, tensor in wanted.items():
        real = by_name[name]
        if (real.dtype, real.shape) != (tensor.dtype, tensor.shape):
            raise InvalidModel(
                shown_as,
                f"{kind} {name!r} is {real.dtype} {_spell(real.shape)}, "
                f"but the manifest says {tensor.dtype} {_spell(tensor.shape)}",
            )


def _spell(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"
