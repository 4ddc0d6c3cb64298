"""Processes that are kept at work, with work that is over at once."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(signal, "sigtimedwait"), reason="needs Linux")

PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from service.commands import supervisor
from service.contract.errors import SetupError

supervisor._FIRST_WAIT_S, supervisor._LONGEST_WAIT_S = 0.01, 0.04
folder = Path(sys.argv[1])

def be_ready(number):
    (folder / f"{number}.sock").touch()

def tell_parent(signal_number):
    os.kill(os.getppid(), signal_number)

def work(number):
"""
RUN = """
try:
    well = supervisor.Supervisor(2, work, folder).run()
except SetupError as error:
    sys.exit(f"SetupError: {error}")
print("all well" if well else "not well")
"""


def run(folder: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    """Have two processes do what the lines say."""
    work = "".join(f"    {line}\n" for line in lines)
    program = [sys.executable, "-c", PROGRAM + work + RUN, str(folder)]
    return subprocess.run(program, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("told", ["SIGTERM", "SIGINT"])
def test_signal_reaches_all_and_all_end(tmp_path: Path, told: str) -> None:
    """Whoever waits for it ends well; so does who did nothing about it yet."""
    done = run(
        tmp_path,
        "be_ready(number)",
        f"if number: tell_parent(signal.{told})",
        f"else: signal.signal(signal.{told}, lambda *_: os._exit(0))",
        "time.sleep(20)",
    )
    assert (done.stdout, done.stderr) == ("all well\n", "")


def test_process_that_cannot_end_well_spoils_the_exit(tmp_path: Path) -> None:
    """And it is said which one it was."""
    done = run(
        tmp_path,
        "signal.signal(signal.SIGTERM, lambda *_: os._exit(3))",
        "be_ready(number)",
        "while not (folder / '0.sock').exists(): pass",
        "if number: tell_parent(signal.SIGTERM)",
        "else: signal.signal(signal.SIGTERM, lambda *_: os._exit(0))",
        "time.sleep(20)",
    )
    assert done.stdout == "not well\n"
    assert done.stderr == "process 1 ended with exit code 3\n"


def test_first_start_that_fails_ends_all_with_one_reason(tmp_path: Path) -> None:
    """The last words of the first to fail, whatever the others were doing."""
    done = run(tmp_path, "if number: raise SetupError('There is nothing.')", "time.sleep(20)")
    assert (done.returncode, done.stderr) == (1, "SetupError: There is nothing.\n")


def test_process_that_dies_before_it_was_ever_ready_ends_all(tmp_path: Path) -> None:
    """It would die again, and somebody should hear of it when they start the server."""
    done = run(tmp_path, "if number: os.abort()", "time.sleep(20)")
    assert done.returncode == 1
    assert done.stderr == (
        "SetupError: Process 1 was killed by signal 6 (Aborted) before it was ready.\n"
    )


def test_process_that_dies_again_and_again_is_waited_for_longer(tmp_path: Path) -> None:
    """Twice as long each time, up to a limit; the reason is told if there is one."""
    done = run(
        tmp_path,
        "be_ready(number)",
        "if not number: time.sleep(20)",
        "with (folder / 'starts').open('a') as starts: starts.write('x')",
        "count = len((folder / 'starts').read_text())",
        "if count == 1: raise SetupError('There is nothing.')",
        "if count == 2: os.kill(os.getpid(), signal.SIGKILL)",
        "if count == 5: tell_parent(signal.SIGTERM); time.sleep(20)",
    )
    assert done.stderr.splitlines() == [
        "process 1 cannot start: There is nothing.; it is started again in 0.01 s",
        "process 1 was killed by signal 9 (Killed); it is started again in 0.02 s",
        "process 1 ended with exit code 0; it is started again in 0.04 s",
        "process 1 ended with exit code 0; it is started again in 0.04 s",
    ]
    assert done.stdout == "all well\n"
