from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from service.tasks.kept import Kept


class Maker:
    """Makes a text of so many letters for a key such as `a5`, and remembers for which."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self, key: str) -> str:
        self.made.append(key)
        return key[0] * int(key[1:])


def test_lightest_use_of_memory_is_kept_within_the_weight() -> None:
    """Ten letters may be kept: what was used longest ago goes when more come."""
    make = Maker()
    kept: Kept[str, str] = Kept(make, most=9, weigh=len, most_weight=10)
    for key in ("a4", "b5", "a4", "c4", "a4", "b5"):
        assert kept(key) == key[0] * int(key[1:])
    # c4 drove out b5, and not a4, which was used since; then b5 drove out c4
    assert make.made == ["a4", "b5", "c4", "b5"]
    kept("a4")
    assert len(make.made) == 4


def test_value_heavier_than_all_may_be_is_kept_alone() -> None:
    """It is there for the next request, and the first to go for another."""
    make = Maker()
    kept: Kept[str, str] = Kept(make, most=9, weigh=len, most_weight=10)
    for key in ("a4", "z99", "z99", "a4", "z99"):
        kept(key)
    assert make.made == ["a4", "z99", "a4", "z99"]


def test_number_counts_whatever_things_weigh() -> None:
    """Two at most, however light."""
    make = Maker()
    kept: Kept[str, str] = Kept(make, most=2, weigh=len, most_weight=10)
    for key in ("a1", "b1", "c1", "b1", "a1"):
        kept(key)
    assert make.made == ["a1", "b1", "c1", "a1"]


def test_what_many_want_at_once_is_made_once() -> None:
    """All others wait for the one who is making it."""
    everyone, make = Barrier(8), Maker()
    kept: Kept[str, str] = Kept(make, most=2, weigh=len, most_weight=10)

    def ask(_: int) -> str:
        everyone.wait(timeout=10)
        return kept("a3")

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(8))) == {"aaa"}
    assert make.made == ["a3"]


def test_value_driven_out_while_it_is_made_still_answers() -> None:
    """Whoever asked gets it; it weighs nothing any more, and the next one makes it again."""
    begun, go_on, made = Event(), Event(), []

    def make(key: str) -> str:
        made.append(key)
        if key == "slow" and made.count("slow") == 1:
            begun.set()
            assert go_on.wait(timeout=10)
        return key

    kept: Kept[str, str] = Kept(make, most=1, weigh=len, most_weight=4)
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(kept, "slow")
        assert begun.wait(timeout=10)
        assert kept("fast") == "fast"
        go_on.set()
        assert slow.result(timeout=10) == "slow"
    assert kept("fast") == "fast"
    assert made == ["slow", "fast"]
    assert kept("slow") == "slow"
    assert made == ["slow", "fast", "slow"]


def test_failure_weighs_nothing() -> None:
    """After it there is as much room as before."""
    failures = [OSError("no luck")]

    def make(key: str) -> str:
        if failures:
            raise failures.pop()
        return key

    kept: Kept[str, str] = Kept(make, most=2, weigh=len, most_weight=4)
    with pytest.raises(OSError, match="no luck"):
        kept("long")
    assert kept("long") == "long"
