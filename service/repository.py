"""Finds the model versions under a folder and loads those that keep the contract."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from service.contract.errors import InvalidModel, SetupError
from service.contract.manifest import MODEL_NAME
from service.contract.refusal import Refusal
from service.cpus import available_cpus
from service.device import Device
from service.loader import LoadedModel, load_version
from service.runtime import choose_provider

_VERSION = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class Repository:
    """What a folder of models held: the versions that may answer, and those that must not."""

    models: tuple[LoadedModel, ...]
    refusals: tuple[Refusal, ...]


def load_repository(root: Path, device: Device, threads: int) -> Repository:
    """Load every `<root>/<name>/<version>/`; a bad one is listed and harms no other.

    threads: for one run on the CPU; 0 takes what the CPU quota grants.
    Raises: SetupError if there is no such folder or no model in it;
        DeviceUnavailable if the device asked for does not work.
    """
    choose_provider(device)
    found = list(_versions(root))
    if not found:
        raise SetupError(
            f"There are no models in {root}: expected <name>/<version>/manifest.json below it."
        )

    def load(place: "_Place") -> LoadedModel | Refusal:
        try:
            return place.load(root, device, threads)
        except InvalidModel as error:
            return Refusal.of(place.name, place.version, error)

    with ThreadPoolExecutor(min(available_cpus(), len(found))) as pool:
        outcomes = list(pool.map(load, found))
    return Repository(
        tuple(outcome for outcome in outcomes if isinstance(outcome, LoadedModel)),
        tuple(outcome for outcome in outcomes if isinstance(outcome, Refusal)),
    )


@dataclass(frozen=True)
class _Place:
    """A folder that should hold a version. obstacle: what its name or place already tells."""

    folder: Path
    name: str
    version: int | None = None
    obstacle: InvalidModel | None = None

    def load(self, root: Path, device: Device, threads: int) -> LoadedModel:
        if self.obstacle:
            raise self.obstacle
        return load_version(self.folder, root, device, threads)


def _versions(root: Path) -> Iterator[_Place]:
    try:
        models = _folders(root)
    except OSError as error:
        raise SetupError(
            f"The models folder {root} cannot be read: {error.strerror}; "
            "say where your models are with --models-dir or CONVSCOPE_MODELS_DIR."
        ) from error
    for model in models:
        if not MODEL_NAME.fullmatch(model.name):
            yield _misplaced(
                model, model.name, f"a model's name must match {MODEL_NAME.pattern}", model.name
            )
        elif not _inside(model, root):
            yield _misplaced(model, model.name, "leads out of the repository", model.name)
        else:
            yield from _versions_of(model, root)


def _versions_of(model: Path, root: Path) -> Iterator[_Place]:
    folders = _folders(model)
    if not folders:
        yield _misplaced(model, model.name, "has no version folder such as 1/", model.name)
    for folder in folders:
        shown_as = f"{model.name}/{folder.name}"
        if not _VERSION.fullmatch(folder.name):
            reason = "a version must be a positive integer without leading zeros"
            yield _misplaced(folder, model.name, reason, shown_as)
        elif not _inside(folder, root):
            reason = "leads out of the repository"
            yield _misplaced(folder, model.name, reason, shown_as, int(folder.name))
        else:
            yield _Place(folder, model.name, int(folder.name))


def _misplaced(
    folder: Path, name: str, reason: str, shown_as: str, version: int | None = None
) -> _Place:
    return _Place(folder, name, version, InvalidModel(shown_as, reason))


def _folders(folder: Path) -> list[Path]:
    """Return the subfolders in order; hidden ones are other programs' business."""
    return sorted(
        entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )


def _inside(folder: Path, root: Path) -> bool:
    return folder.resolve().is_relative_to(root.resolve())
