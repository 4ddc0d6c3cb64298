import random
import time
from collections.abc import Iterator
from threading import Barrier, Event, current_thread

import pytest

from service.sweep.asker import Answered
from service.sweep.crew import Crew


def echo(paths: list[str]) -> Answered:
    """Answer with the paths, some sooner than others."""
    time.sleep(random.uniform(0, 0.003))
    return Answered([path.encode() for path in paths], seconds=0.001)


def lines(crew: Crew, paths: Iterator[str]) -> list[str]:
    return [line.decode() for answered in crew.answers(paths) for line in answered.lines]


def test_answers_come_in_the_order_of_the_files() -> None:
    """Though eight threads answer them, and some take longer."""
    paths = [str(number) for number in range(2000)]
    assert lines(Crew(echo, 8, 16, Event()), iter(paths)) == paths


def test_few_files_are_shared_out() -> None:
    """The first shares are small: four threads answer twelve files, not one."""
    threads, together = set(), Barrier(4)

    def answer(paths: list[str]) -> Answered:
        if current_thread().name not in threads:
            threads.add(current_thread().name)
            together.wait(20)  # for all four, or it is broken
        return Answered([path.encode() for path in paths], seconds=0.02)

    assert len(lines(Crew(answer, 4, 64, Event()), iter("abcdefghijkl"))) == 12
    assert len(threads) == 4


def test_slow_files_are_shared_out_singly() -> None:
    """What takes a second each is never kept until a large share is full."""
    sizes = []

    def answer(paths: list[str]) -> Answered:
        sizes.append(len(paths))
        return Answered([path.encode() for path in paths], seconds=1.0 * len(paths))

    lines(Crew(answer, 2, 64, Event()), map(str, range(50)))
    assert set(sizes) == {1}


def test_answers_do_not_wait_for_files_to_come() -> None:
    """What is answered is handed on while the next path is still to be told."""
    told = Event()

    def paths() -> Iterator[str]:
        yield "first"
        assert told.wait(10)
        yield "second"

    got = []
    for answered in Crew(echo, 1, 8, Event()).answers(paths()):
        got += answered.lines
        if got == [b"first"]:
            told.set()
    assert got == [b"first", b"second"]


def test_no_more_files_are_taken_than_a_few_shares_ahead() -> None:
    """A million paths do not pile up behind a slow file."""
    taken, go_on = 0, Event()

    def paths() -> Iterator[str]:
        nonlocal taken
        for number in range(10_000):
            taken += 1
            yield str(number)

    def answer(paths: list[str]) -> Answered:
        assert go_on.wait(10)
        return Answered([path.encode() for path in paths], seconds=0.001)

    crew = Crew(answer, 2, 8, Event()).answers(paths())
    assert next(crew).lines == []  # nothing yet: everybody waits
    assert taken <= 2 * 4 + 2
    go_on.set()
    assert sum(len(answered.lines) for answered in crew) == 10_000


@pytest.mark.parametrize("where", ["paths", "answer"])
def test_what_breaks_is_raised_behind_what_came_before(where: str) -> None:
    """Whether the files could not be found or not be answered."""

    def paths() -> Iterator[str]:
        yield "good"
        if where == "paths":
            raise OSError(5, "Input/output error")
        yield "bad"

    def answer(paths: list[str]) -> Answered:
        if "bad" in paths:
            raise OSError(5, "Input/output error")
        return Answered([path.encode() for path in paths])

    answers = (got for got in Crew(answer, 1, 1, Event()).answers(paths()) if got.lines)
    assert next(answers).lines == [b"good"]
    with pytest.raises(OSError, match="Input/output error"):
        next(answers)


def test_what_is_in_hand_is_finished_when_it_is_told_to_stop() -> None:
    """What is begun is handed on; nothing else is begun."""
    stop, begun = Event(), []

    def answer(paths: list[str]) -> Answered:
        begun.extend(paths)
        stop.set()
        time.sleep(0.05)
        return Answered([path.encode() for path in paths])

    got = lines(Crew(answer, 1, 1, stop), map(str, range(1000)))
    assert got == begun == ["0"]
