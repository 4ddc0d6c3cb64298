"""Where the limits of this process's control groups are written: those of its container."""

from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc/self/cgroup")
MOUNT = Path("/sys/fs/cgroup")


def own_groups() -> str:
    """Return the text of /proc/self/cgroup, empty where there is none."""
    return read(_PROC)


def folders(groups: str, mount: Path, controller: str) -> Iterator[tuple[bool, Path]]:
    """Yield the folders from this process's groups up to the mount.

    groups: the text of /proc/self/cgroup.
    mount: where the cgroup file systems are, /sys/fs/cgroup.
    controller: which of the old hierarchies, such as `cpu`; the unified one counts besides.
    Returns: with each whether it is of the unified hierarchy, whose files are others.
    """
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            yield from ((True, folder) for folder in _upwards(mount, path))
        elif controller in controllers.split(","):
            root = mount / controllers if (mount / controllers).is_dir() else mount / controller
            yield from ((False, folder) for folder in _upwards(root, path))


def read(file: Path) -> str:
    """Return the text of the file, empty if there is none."""
    try:
        return file.read_text()
    except OSError:
        return ""


def _upwards(root: Path, path: str) -> list[Path]:
    """Return the folders from the cgroup up to the mount; a container may see only the mount."""
    inside = root / path.strip("/")
    return [inside, *(folder for folder in inside.parents if folder.is_relative_to(root))]
