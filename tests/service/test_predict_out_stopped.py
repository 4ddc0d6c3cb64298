import os
import pty
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.swept import finish, read_table, records_of, start, write_pictures
from tests.tiny_models import write_model

FILES = 3000


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and many pictures."""
    folder = tmp_path_factory.mktemp("stopped")
    write_model(folder / "models")
    write_pictures(folder / "photos", FILES, side=96)
    return folder


def command(place: Path, out: str, *words: object) -> "subprocess.Popen[str]":
    """Start it as one that gives way, so that it is not done before somebody looks.

    And that hears Ctrl-C, which is not so where the tests were begun in the background.
    """

    def prepare() -> None:
        os.nice(19)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    given = ("photos", "--model", "colors", "--runners", 2, "--out", out, *words)
    return start(*given, models=place / "models", cwd=place, preexec_fn=prepare)


def wait_for_records(records: Path, more_than: int, process: "subprocess.Popen[str]") -> None:
    """Return when so many are there."""
    while process.poll() is None:
        if records.exists() and records.read_bytes().count(b"\n") > more_than:
            return
        time.sleep(0.002)
    pytest.fail(f"it ended with {process.returncode}: {process.communicate()[1]}")


def paths() -> list[str]:
    return [f"photos/{number:05}.png" for number in range(FILES)]


@pytest.mark.parametrize("end", [".jsonl", ".csv", ".parquet"])
def test_killed_run_goes_on_where_it_was(place: Path, end: str) -> None:
    """SIGKILL again and again: in the end every file is there once, in order."""
    out = place / f"killed{end}"
    records = out if end == ".jsonl" else out.with_name(out.name + ".part")
    for share in (0, 300, 900, 1800):
        process = command(place, out.name)
        wait_for_records(records, share, process)
        process.kill()
        assert finish(process)[0] == -signal.SIGKILL
        assert records is out or not out.exists()  # a table is there in whole or not at all
    code, told = finish(command(place, out.name))

    assert code == 0, told
    assert f"{FILES:,} files, {FILES:,} answered, 0 failed" in told
    found = records_of(out) if end == ".jsonl" else read_table(out)
    assert [row["path"] for row in found] == paths()
    assert sorted(file.name for file in place.glob("killed*")) == [out.name, f"{out.name}.run"]
    for file in (out, out.with_name(f"{out.name}.run")):
        file.unlink()


@pytest.mark.parametrize(("told_by", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_told_to_stop_it_finishes_what_is_in_hand(
    place: Path, told_by: signal.Signals, code: int
) -> None:
    """What is written is whole, it says how to go on, and so it does."""
    out = place / f"told-{told_by.name}.jsonl"
    process = command(place, out.name)
    wait_for_records(out, 200, process)
    process.send_signal(told_by)
    ended, told = finish(process)

    assert ended == code
    done = len(records_of(out))
    assert 200 < done < FILES
    assert told == (
        f"Stopped by {told_by.name}: {done:,} files are done. The same command goes on there.\n"
    )
    ended, told = finish(command(place, out.name))
    assert ended == 0
    assert f"{FILES - done:,} files in" in told
    assert f"{done:,} were answered before" in told
    assert [record["path"] for record in records_of(out)] == paths()


def test_two_at_once_do_not_mix(place: Path) -> None:
    """The second is refused, also one that would begin anew, and the first is unharmed."""
    first = command(place, "twice.jsonl")
    wait_for_records(place / "twice.jsonl", 10, first)
    first.send_signal(signal.SIGSTOP)
    for words in ((), ("--restart",)):
        code, told = finish(command(place, "twice.jsonl", *words))
        assert (code, told) == (2, "Error: Another process is at work on twice.jsonl.\n")
    first.send_signal(signal.SIGCONT)
    assert finish(first)[0] == 0
    assert [record["path"] for record in records_of(place / "twice.jsonl")] == paths()


def limited_to(size: int) -> Callable[[], None]:
    """Return what makes every write beyond that size fail, as on a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("end", [".jsonl", ".csv"])
def test_full_disk_spoils_nothing(place: Path, end: str) -> None:
    """It says so with its own exit code; what is there is whole, and it goes on with room."""
    out = place / f"full{end}"
    words = ("photos", "--model", "colors", "--out", out.name)
    models = place / "models"
    code, told = finish(start(*words, models=models, cwd=place, preexec_fn=limited_to(100_001)))

    assert code == 4
    assert "File too large" in told
    assert "The same command goes on there." in told
    records = out if end == ".jsonl" else out.with_name(out.name + ".part")
    assert 100 < len(records_of(records)) < FILES
    assert finish(start(*words, models=models, cwd=place))[0] == 0
    found = records_of(out) if end == ".jsonl" else read_table(out)
    assert [row["path"] for row in found] == paths()


def test_paths_come_from_standard_input(place: Path) -> None:
    """As find writes them, in any bytes."""
    odd = os.fsdecode(b"photos/\xff\n.png")
    (place / odd).write_bytes((place / "photos" / "00000.png").read_bytes())
    listed = f"photos/00002.png\0{odd}\0photos/00001.png\0"
    words = ("--from-file", "-", "-0", "--model", "colors", "--out", "listed.jsonl", "--quiet")
    (place / "list").write_bytes(os.fsencode(listed))
    with (place / "list").open() as stdin:
        code, told = finish(start(*words, models=place / "models", cwd=place, stdin=stdin))
    (place / odd).unlink()
    assert (code, told) == (0, "")
    records = records_of(place / "listed.jsonl")
    assert [record["path"] for record in records] == [
        "photos/00002.png",
        "photos/\\xff\n.png",
        "photos/00001.png",
    ]


def test_paths_come_from_a_pipe(place: Path) -> None:
    """As `<(...)` makes one, which can be read only once: nobody counts its paths first."""
    ours, theirs = os.pipe()
    os.write(theirs, b"photos/00002.png\nphotos/00001.png\n")
    os.close(theirs)
    words = ("--from-file", f"/dev/fd/{ours}", "--model", "colors", "--out", "piped.csv")
    code, told = finish(start(*words, models=place / "models", cwd=place, pass_fds=[ours]))
    os.close(ours)
    assert code == 0, told
    found = [row["path"] for row in read_table(place / "piped.csv")]
    assert found == ["photos/00002.png", "photos/00001.png"]


def test_terminal_shows_a_bar(place: Path) -> None:
    """With what is done, the rate and the time that is left; it goes when all is done."""
    ours, theirs = pty.openpty()
    words = ("photos", "--model", "colors", "--out", "shown.jsonl")
    shown = start(*words, models=place / "models", cwd=place, stderr=theirs)
    os.close(theirs)
    text = b""
    while part := _read(ours):
        text += part
    os.close(ours)
    assert shown.wait() == 0
    assert b"[#" in text
    assert f"of {FILES:,}".encode() in text
    assert b" a second  0:00:0" in text
    assert text.rpartition(b"\x1b[K")[2].startswith(f"{FILES:,} files in ".encode())


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""
