"""How much memory this process may really take."""

import os
from pathlib import Path

from service.cgroups import MOUNT, folders, own_groups, read


def available_bytes() -> int:
    """Return the memory limit of the container, or what the machine has if that is less.

    Returns: bytes, of all processes of the container together.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = memory_limit(own_groups(), MOUNT)
    return machine if limit is None else min(machine, limit)


def memory_limit(groups: str, mount: Path) -> int | None:
    """Return the smallest memory limit on the way up from this process's cgroup, in bytes.

    groups, mount: as for `service.cgroups.folders`.
    Returns: None where nothing limits it.
    """
    files = [
        folder / ("memory.max" if unified else "memory.limit_in_bytes")
        for unified, folder in folders(groups, mount, "memory")
    ]
    limits = [read(file).strip() for file in files]  # max stands for no limit
    return min((int(limit) for limit in limits if limit.isdigit()), default=None)
