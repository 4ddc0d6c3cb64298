"""How many processors this process may really use."""

import math
import os
from pathlib import Path

_PROC = Path("/proc/self/cgroup")
_MOUNT = Path("/sys/fs/cgroup")


def available_cpus() -> int:
    """Return the processors granted by affinity and by the cgroup's CPU quota, at least 1.

    A container's quota is not in `os.cpu_count()`: that one counts the host's.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = cpu_quota(_read(_PROC), _MOUNT)
    cpus = allowed or 1
    return cpus if quota is None else max(1, min(cpus, math.ceil(quota)))


def cpu_quota(cgroups: str, mount: Path) -> float | None:
    """Return the smallest CPU quota on the way up from this process's cgroup, in processors.

    cgroups: the text of /proc/self/cgroup.
    mount: where the cgroup file systems are, /sys/fs/cgroup.
    Returns: None where nothing limits it.
    """
    quotas = []
    for line in cgroups.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            quotas += [_v2_quota(folder) for folder in _upwards(mount, path)]
        elif "cpu" in controllers.split(","):
            root = mount / controllers if (mount / controllers).is_dir() else mount / "cpu"
            quotas += [_v1_quota(folder) for folder in _upwards(root, path)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _upwards(root: Path, path: str) -> list[Path]:
    """Return the folders from the cgroup up to the mount; a container may see only the mount."""
    inside = root / path.strip("/")
    return [inside, *(folder for folder in inside.parents if folder.is_relative_to(root))]


def _v2_quota(folder: Path) -> float | None:
    quota, _, period = _read(folder / "cpu.max").strip().partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _v1_quota(folder: Path) -> float | None:
    quota = _read(folder / "cpu.cfs_quota_us").strip()  # -1 stands for no limit
    period = _read(folder / "cpu.cfs_period_us").strip()
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
