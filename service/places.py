"""Where model versions lie under a folder, and what tells that one of them changed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from service.contract.errors import SetupError
from service.contract.manifest import MODEL_NAME
from service.contract.refusal import Refusal

_VERSION = re.compile(r"[1-9][0-9]{0,8}")


class FileMark(NamedTuple):
    """What a directory tells of a file, without reading it."""

    name: str
    size_bytes: int
    modified_ns: int


# Equal as long as nobody touched a file; cheap, where digests would read every weight.
Signature = tuple[FileMark, ...]


@dataclass(frozen=True)
class Place:
    """A folder that should hold a version.

    version: None where the folder's name is none.
    obstacle: what its name or place already tells against it.
    """

    folder: Path
    name: str
    version: int | None = None
    obstacle: Refusal | None = None


class Sighting(NamedTuple):
    """A place and what lay there when it was looked at."""

    place: Place
    signature: Signature


Look = dict[Path, Sighting]


def look_around(root: Path) -> Look:
    """Return every place under the root by its folder, with its signature.

    Raises: as `find_places`.
    """
    return {place.folder: Sighting(place, _signature(place.folder)) for place in find_places(root)}


def find_places(root: Path) -> list[Place]:
    """Return every `<root>/<name>/<version>/`, and every folder that cannot be one.

    Raises: SetupError if there is no such root or no folder in it.
    """
    try:
        places = list(_places(root))
    except OSError as error:
        raise SetupError(
            f"The models folder {error.filename or root} cannot be read: {error.strerror}; "
            "say where your models are with --models-dir or CONVSCOPE_MODELS_DIR."
        ) from error
    if not places:
        raise SetupError(
            f"There are no models in {root}: expected <name>/<version>/manifest.json below it."
        )
    return places


def _places(root: Path) -> Iterator[Place]:
    for model in _folders(root):
        if not MODEL_NAME.fullmatch(model.name):
            reason = f"a model's name must match {MODEL_NAME.pattern}"
            yield _misplaced(model, model.name, reason, model.name)
        elif not _inside(model, root):
            yield _misplaced(model, model.name, "leads out of the repository", model.name)
        else:
            yield from _places_of(model, root)


def _places_of(model: Path, root: Path) -> Iterator[Place]:
    try:
        folders = _folders(model)
    except FileNotFoundError:  # it was removed while we looked
        return
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
            yield Place(folder, model.name, int(folder.name))


def _misplaced(
    folder: Path, name: str, reason: str, shown_as: str, version: int | None = None
) -> Place:
    return Place(folder, name, version, Refusal(name, version, shown_as, reason))


def _folders(folder: Path) -> list[Path]:
    """Return the subfolders in order; hidden ones are other programs' business."""
    return sorted(
        entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )


def _inside(folder: Path, root: Path) -> bool:
    return folder.resolve().is_relative_to(root.resolve())


def _signature(folder: Path) -> Signature:
    """Return the marks of the files in the folder; none if it cannot be read."""
    try:
        return tuple(sorted(filter(None, map(_mark, folder.iterdir()))))
    except OSError:
        return ()


def _mark(file: Path) -> FileMark | None:
    try:
        found = file.stat()
    except OSError:  # it was removed while we looked, or is a link to nowhere
        return None
    return FileMark(file.name, found.st_size, found.st_mtime_ns)
