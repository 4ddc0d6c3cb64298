"""Writes a version folder, whole or not at all."""

import platform
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path

from service.adopt.adoption import Adopted
from service.adopt.cardtext import write_card
from service.adopt.palette import palette
from service.adopt.refusal import CannotAdd
from service.adopt.source import Source
from service.contract.golden import GOLDEN_NAME, write_golden
from service.contract.manifest import (
    CARD_NAME,
    MODEL_NAME,
    Graph,
    Manifest,
    Original,
    Provenance,
    Task,
    write_manifest,
)
from service.contract.versions import file_ref, next_version
from service.version import VERSION

_GRAPH_NAME = "model.onnx"
_PACKAGES = ("onnx", "numpy")


@dataclass(frozen=True)
class Target:
    """What is to be written, and where; labels: one a class."""

    models_dir: Path
    name: str
    version: int
    task: Task
    labels: tuple[str, ...]
    license: str


def free_version(models_dir: Path, name: str, wanted: int | None) -> int:
    """Return the version number that is wanted, or the one after the highest.

    Raises: CannotAdd if the name is none, or that version is there already.
    """
    if not re.fullmatch(MODEL_NAME, name):
        raise CannotAdd(
            f"{name!r} is no model name: at most 64 lower-case letters, digits, '.', '_' and '-'."
        )
    following = next_version(models_dir / name)
    if wanted and (models_dir / name / str(wanted)).exists():
        raise CannotAdd(
            f"{models_dir / name / str(wanted)} is there already, and is not overwritten; without "
            f"--version it would be {following}."
        )
    return wanted or following


def write_version(adopted: Adopted, target: Target, prove: Callable[[Path, Path], None]) -> Path:
    """Write `<models_dir>/<name>/<version>/` and return it.

    prove: is given the whole folder where no server looks, and its repository, before it is
        moved to its place; what it raises leaves nothing behind.
    Raises: CannotAdd if it cannot be written; what `prove` raises.
    """
    try:
        target.models_dir.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".add-", dir=target.models_dir))
    except OSError as error:
        raise CannotAdd(f"{target.models_dir} cannot be written: {error.strerror}.") from error
    try:
        folder = staging / target.name / str(target.version)
        folder.mkdir(parents=True)
        _write(folder, adopted, target)
        prove(folder, staging)
        place = target.models_dir / target.name / str(target.version)
        place.parent.mkdir(exist_ok=True)
        return folder.rename(place)
    except OSError as error:
        raise CannotAdd(f"{target.models_dir} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write(folder: Path, adopted: Adopted, target: Target) -> None:
    graph_file, golden_file = folder / _GRAPH_NAME, folder / GOLDEN_NAME
    graph_file.write_bytes(adopted.composed.model.SerializeToString())
    write_golden(golden_file, adopted.inputs, adopted.expected)
    graph = Graph(
        precision=adopted.precision,
        file=file_ref(graph_file),
        opset=adopted.source.opset,
        inputs=adopted.composed.inputs,
        outputs=adopted.composed.outputs,
        taps=adopted.taps,
    )
    source = adopted.source
    golden = adopted.golden.model_copy(update={"file": file_ref(golden_file)})
    manifest = Manifest(
        name=target.name,
        version=target.version,
        task=target.task,
        description=f"{source.path.name}, made elsewhere and added with convscope add.",
        preprocessing=adopted.side.spec,
        graphs=(graph,),
        labels=target.labels,
        colors=palette(len(target.labels)) if target.task == "image-segmentation" else (),
        golden=golden,
        provenance=_provenance(source),
        license=target.license,
    )
    write_manifest(folder, manifest)
    (folder / CARD_NAME).write_text(write_card(manifest, adopted.findings))


def _provenance(source: Source) -> Provenance:
    return Provenance(
        original=Original(name=source.path.name, sha256=source.sha256),
        created=datetime.now(UTC).date().isoformat(),
        versions={"convscope": VERSION, "python": platform.python_version()}
        | {package: installed(package) for package in _PACKAGES},
    )
