"""Writes a version folder, whole or not at all."""

import hashlib
import platform
import re
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path

from service.adopt.adoption import Adopted
from service.adopt.asked import Asked
from service.adopt.cardtext import write_card
from service.adopt.palette import palette
from service.adopt.precision import precision_of
from service.adopt.refusal import CannotAdd
from service.contract.golden import GOLDEN_NAME, write_golden
from service.contract.manifest import (
    CARD_NAME,
    MODEL_NAME,
    FileRef,
    Graph,
    Manifest,
    Original,
    Provenance,
    write_manifest,
)
from service.version import VERSION

_GRAPH_NAME = "model.onnx"
_PACKAGES = ("onnx", "numpy")


def next_version(models_dir: Path, name: str) -> int:
    """Return the version number after the highest one of the model."""
    parent = models_dir / name
    found = parent.iterdir() if parent.is_dir() else ()
    return 1 + max((int(folder.name) for folder in found if folder.name.isdecimal()), default=0)


def check_place(models_dir: Path, name: str, number: int) -> None:
    """Raises: CannotAdd if such a version cannot be written there, or is there already."""
    if not re.fullmatch(MODEL_NAME, name):
        raise CannotAdd(
            f"{name!r} is no model name: at most 64 lower-case letters, digits, '.', '_' and '-'."
        )
    if (models_dir / name / str(number)).exists():
        raise CannotAdd(
            f"{models_dir / name / str(number)} is there already, and is not overwritten; without "
            f"--version it would be {next_version(models_dir, name)}."
        )


def write_version(
    adopted: Adopted,
    asked: Asked,
    labels: tuple[str, ...],
    place: tuple[Path, str, int],
    license_: str,
    prove: Callable[[Path, Path], None],
) -> Path:
    """Write `<models_dir>/<name>/<version>/` and return it.

    place: models_dir, name, version.
    prove: is given the whole folder where no server looks, and its repository, before it
        is moved to its place; what it raises leaves nothing behind.
    """
    models_dir, name, number = place
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".add-", dir=models_dir))
    except OSError as error:
        raise CannotAdd(f"{models_dir} cannot be written: {error.strerror}.") from error
    try:
        folder = staging / name / str(number)
        folder.mkdir(parents=True)
        _write(folder, adopted, asked, labels, name, number, license_)
        prove(folder, staging)
        target = models_dir / name / str(number)
        target.parent.mkdir(exist_ok=True)
        return folder.rename(target)
    except OSError as error:
        raise CannotAdd(f"{models_dir} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write(
    folder: Path,
    adopted: Adopted,
    asked: Asked,
    labels: tuple[str, ...],
    name: str,
    number: int,
    license_: str,
) -> None:
    source = adopted.source
    (folder / _GRAPH_NAME).write_bytes(adopted.model.SerializeToString())
    write_golden(folder / GOLDEN_NAME, adopted.inputs, adopted.expected)
    inputs, outputs = adopted.tensors
    graph = Graph(
        precision=precision_of(source.model),
        file=_file_ref(folder / _GRAPH_NAME),
        opset=source.opset,
        inputs=inputs,
        outputs=outputs,
        taps=adopted.taps,
    )
    manifest = Manifest(
        name=name,
        version=number,
        task=asked.task,
        description=f"{source.path.name}, made elsewhere and added with convscope add.",
        preprocessing=adopted.side.spec,
        graphs=(graph,),
        labels=labels,
        colors=palette(len(labels)) if asked.task == "image-segmentation" else (),
        golden=adopted.golden.model_copy(update={"file": _file_ref(folder / GOLDEN_NAME)}),
        provenance=Provenance(
            original=Original(name=source.path.name, sha256=source.sha256),
            created=datetime.now(UTC).date().isoformat(),
            versions={"convscope": VERSION, "python": platform.python_version()}
            | {package: installed(package) for package in _PACKAGES},
        ),
        license=license_,
    )
    write_manifest(folder, manifest)
    (folder / CARD_NAME).write_text(write_card(manifest, adopted.findings))


def _file_ref(file: Path) -> FileRef:
    return FileRef(path=file.name, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
