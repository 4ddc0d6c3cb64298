"""How many processors this process may really use."""

import math
import os
from pathlib import Path

from service.cgroups import MOUNT, folders, own_groups, read


def available_cpus() -> int:
    """Return the processors granted by affinity and by the cgroup's CPU quota, at least 1.

    A container's quota is not in `os.cpu_count()`: that one counts the host's.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = cpu_quota(own_groups(), MOUNT)
    cpus = allowed or 1
    return cpus if quota is None else max(1, min(cpus, math.ceil(quota)))


def cpu_quota(groups: str, mount: Path) -> float | None:
    """Return the smallest CPU quota on the way up from this process's cgroup, in processors.

    groups, mount: as for `service.cgroups.folders`.
    Returns: None where nothing limits it.
    """
    quotas = [
        _quota(folder) if unified else _old_quota(folder)
        for unified, folder in folders(groups, mount, "cpu")
    ]
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota(folder: Path) -> float | None:
    quota, _, period = read(folder / "cpu.max").strip().partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _old_quota(folder: Path) -> float | None:
    quota = read(folder / "cpu.cfs_quota_us").strip()  # -1 stands for no limit
    period = read(folder / "cpu.cfs_period_us").strip()
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None
