import io
import json
import threading
import time
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import pytest

from service.commands.askers import Turns
from service.contract.errors import DeviceFault, SetupError
from service.sweep.asker import Answered, Share
from service.sweep.progress import Progress


class Echo:
    """Answers with what stands in a file, and notes what ran together."""

    batch = 3
    head: dict[str, Any] = {"model": "echo"}  # noqa: RUF012

    def __init__(self) -> None:
        self.ran: list[list[str]] = []

    def prepare(self, path: str, data: bytes) -> tuple[Hashable, str]:
        return len(data), data.decode()

    def run(self, items: Sequence[str]) -> Sequence[str]:
        self.ran.append(list(items))
        if "lost" in items:
            raise DeviceFault("The device failed.")
        if "bad" in items:
            raise MemoryError
        return [item.upper() for item in items]

    def describe(self, item: str, output: str) -> dict[str, Any]:
        if item == "full":
            raise SetupError("Nothing can be written.")
        if item == "odd":
            raise ValueError("It is odd.")
        return {"said": output}


def answer(folder: Path, *contents: str) -> tuple[Echo, Answered]:
    asker = Echo()
    for number, content in enumerate(contents):
        (folder / f"{number}").write_text(content)
    paths = [str(folder / f"{number}") for number in range(len(contents))]
    return asker, Share(asker, paths, 100).answer()


def said(answered: Answered) -> list[str]:
    records = map(json.loads, answered.lines)
    return [record.get("said") or record["error"]["type"] for record in records]


def test_alike_run_together_and_come_back_in_order(tmp_path: Path) -> None:
    """In batches of three at most, of one length each; the rest in the end."""
    asker, answered = answer(tmp_path, "aa", "b", "cc", "dd", "e", "ff")
    assert asker.ran == [["aa", "cc", "dd"], ["b", "e"], ["ff"]]
    assert said(answered) == ["AA", "B", "CC", "DD", "E", "FF"]
    assert answered.failed == 0


def test_only_the_guilty_one_fails(tmp_path: Path) -> None:
    """A batch that fails is run again one by one; what cannot be told is an error too."""
    asker, answered = answer(tmp_path, "one", "bad", "two", "odd")
    assert asker.ran[1:4] == [["one"], ["bad"], ["two"]]
    assert said(answered) == ["ONE", "internal-error", "TWO", "internal-error"]
    assert answered.failed == 2
    assert json.loads(answered.lines[3])["error"]["detail"] == "ValueError: It is odd."


@pytest.mark.parametrize(("content", "error"), [("lost", DeviceFault), ("full", SetupError)])
def test_what_befalls_all_files_is_no_record(
    tmp_path: Path, content: str, error: type[Exception]
) -> None:
    """Else every file would have one."""
    with pytest.raises(error):
        answer(tmp_path, content)


@pytest.mark.parametrize(("on_cpu", "most"), [(True, 4), (False, 1)])
def test_on_a_gpu_one_runs_at_a_time(on_cpu: bool, most: int) -> None:
    """On processors all threads run at once: here they wait for each other to prove it."""
    turns, inside, seen = Turns(on_cpu), [], []
    together = threading.Barrier(4)

    def work() -> None:
        with turns.mine():
            inside.append(1)
            if on_cpu:
                together.wait(10)
            else:
                time.sleep(0.01)
            seen.append(len(inside))
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(seen) == most


def test_progress_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody looks at a terminal: what is done, also before, and how much is left."""
    monkeypatch.setattr("service.sweep.progress._LINE_S", 0.0)
    stream = io.StringIO()
    progress = Progress(stream, before=40)
    progress.note(10, 0)
    progress.count(range(100))
    deadline = time.monotonic() + 10
    while "of 100" not in stream.getvalue() and time.monotonic() < deadline:
        progress.note(0, 0)
    progress.note(25, 2)
    progress.close()
    first, *_, last = stream.getvalue().splitlines()
    assert first.startswith("50 files  ")
    assert last.startswith("[##################------]  75%  75 of 100  ")
    assert " a second  " in last
    assert last.endswith(" left  2 failed")
