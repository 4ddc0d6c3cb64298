"""Version folders, as those who write them need them: the next number, and digests of files."""

import hashlib
from pathlib import Path

from service.contract.manifest import FileRef


def next_version(parent: Path) -> int:
    """Return the version number after the highest one in the model's folder, 1 if it has none."""
    found = parent.iterdir() if parent.is_dir() else ()
    return 1 + max((int(folder.name) for folder in found if folder.name.isdecimal()), default=0)


def file_ref(file: Path) -> FileRef:
    """Return the manifest's entry of a file of the version folder."""
    return FileRef(path=file.name, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
