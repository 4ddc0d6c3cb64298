"""Verifies one model version and loads it; what breaks the contract is refused."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from service.contract.errors import InvalidModel
from service.contract.golden import Arrays, check_golden
from service.contract.manifest import (
    CARD_NAME,
    MANIFEST_NAME,
    FileRef,
    Manifest,
    Tensor,
    read_manifest,
)
from service.device import Device
from service.runtime import Session, TensorInfo, open_session


@dataclass(frozen=True)
class LoadedModel:
    """A version that kept its promise on the provider it was placed on.

    folder: absolute.
    golden_difference: largest absolute difference from PyTorch's golden outputs.
    """

    manifest: Manifest
    folder: Path
    session: Session
    golden_difference: float


def load_version(folder: Path, repository: Path, device: Device, threads: int) -> LoadedModel:
    """Verify and load `<repository>/<name>/<version>/`.

    Raises: InvalidModel, naming the file and what is wrong with it; DeviceUnavailable.
    """
    version = _Version(folder, repository)
    version.require(MANIFEST_NAME)
    manifest = read_manifest(folder)
    version.require(CARD_NAME)
    contents = {graph.file.path: version.verified(graph.file) for graph in manifest.graphs}
    golden = manifest.golden
    version.verified(golden.file)
    graph = manifest.graph
    shown_as = version.shown_as(graph.file.path)
    session = open_session(contents[graph.file.path], device, threads, shown_as)
    _check_ends("input", graph.inputs, session.inputs, shown_as)
    _check_ends("output", graph.outputs, session.outputs, shown_as)

    def run(inputs: Arrays) -> Arrays:
        try:
            return session.run(inputs)
        except Exception as error:  # ONNX Runtime's exceptions have no base class of their own
            raise InvalidModel(shown_as, f"fails on its golden inputs: {error}") from error

    difference = check_golden(
        folder / golden.file.path, golden, graph, run, version.shown_as(golden.file.path)
    )
    return LoadedModel(manifest, folder, session, difference)


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
