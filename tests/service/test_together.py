import sys

import pytest

from service.commands.together import serve_together, threads_of_each
from service.contract.errors import SetupError
from service.settings import Settings


@pytest.mark.parametrize(
    ("processes", "cpus", "threads", "expected"),
    [(2, 2, 0, 1), (2, 8, 0, 4), (3, 8, 0, 2), (4, 2, 0, 1), (2, 8, 6, 6)],
)
def test_processors_are_shared_out(processes: int, cpus: int, threads: int, expected: int) -> None:
    """Each process gets as many, at least one; what was set is for each."""
    assert threads_of_each(Settings(processes=processes, threads=threads), cpus) == expected


def test_elsewhere_than_on_linux_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other systems have no port that several processes share evenly."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SetupError, match="on Linux only"):
        serve_together(Settings(processes=2))
