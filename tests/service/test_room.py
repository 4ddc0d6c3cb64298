from pathlib import Path

from service.room import available_bytes, memory_limit


def test_something_is_there_and_no_more_than_the_machine_has() -> None:
    """The kernel's own figure bounds whatever a container is allowed."""
    (total_kb,) = (
        int(line.split()[1])
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemTotal")
    )
    assert 0 < available_bytes() <= total_kb * 1024


def test_limit_of_the_unified_hierarchy_counts(tmp_path: Path) -> None:
    """cgroup v2: bytes, or `max` for none; the smallest on the way up binds."""
    inner = tmp_path / "pod" / "container"
    inner.mkdir(parents=True)
    (inner / "memory.max").write_text("max\n")
    assert memory_limit("0::/pod/container\n", tmp_path) is None
    (inner / "memory.max").write_text("4000\n")
    (tmp_path / "pod" / "memory.max").write_text("3000\n")
    assert memory_limit("0::/pod/container\n", tmp_path) == 3000


def test_limit_of_the_old_hierarchy_counts(tmp_path: Path) -> None:
    """cgroup v1 keeps it in the folder of the controller, and nothing in those of others."""
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("5000\n")
    assert memory_limit("5:cpu:/x\n4:memory:/docker/abc\n", tmp_path) == 5000
    assert memory_limit("5:cpu:/x\n", tmp_path) is None
