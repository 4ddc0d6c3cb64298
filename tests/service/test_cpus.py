from pathlib import Path

import pytest

from service.cpus import available_cpus, cpu_quota


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_at_least_one_processor_is_there() -> None:
    """However small the quota, something runs."""
    assert available_cpus() >= 1


def test_quota_of_the_unified_hierarchy_counts(tmp_path: Path) -> None:
    """cgroup v2: microseconds of quota over those of the period."""
    write(tmp_path, cpu__max="150000 100000\n")
    assert cpu_quota("0::/\n", tmp_path) == 1.5


def test_no_limit_is_no_quota(tmp_path: Path) -> None:
    """`max`, a missing file and v1's -1 all mean unlimited."""
    assert cpu_quota("0::/\n", tmp_path) is None
    write(tmp_path, cpu__max="max 100000\n")
    assert cpu_quota("0::/\n", tmp_path) is None
    write(tmp_path / "cpu", cpu__cfs_quota_us="-1\n", cpu__cfs_period_us="100000\n")
    assert cpu_quota("1:cpu:/\n", tmp_path) is None


def test_smallest_quota_on_the_way_up_counts(tmp_path: Path) -> None:
    """A pod's limit binds its containers, whatever they are allowed themselves."""
    write(tmp_path / "pod" / "container", cpu__max="400000 100000\n")
    write(tmp_path / "pod", cpu__max="200000 100000\n")
    assert cpu_quota("0::/pod/container\n", tmp_path) == 2


@pytest.mark.parametrize("controllers", ["cpu", "cpu,cpuacct"])
def test_quota_of_the_old_hierarchy_counts(tmp_path: Path, controllers: str) -> None:
    """cgroup v1 keeps it in a folder of the controller, seen from inside or from outside."""
    write(tmp_path / controllers, cpu__cfs_quota_us="50000\n", cpu__cfs_period_us="100000\n")
    assert cpu_quota(f"4:memory:/x\n3:{controllers}:/docker/abc\n", tmp_path) == 0.5
