import subprocess
import sys

CODE = (
    "import resource; from service.commands.open_files import room_for_connections; "
    "print(room_for_connections(50), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
)


def room(ulimit: str) -> tuple[str, str]:
    """Return what a process prints and what it complains of, under the shell's `ulimit`."""
    done = subprocess.run(
        ["bash", "-c", f'ulimit {ulimit} && exec "$@"', "bash", sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip(), done.stderr.strip()


def test_limit_on_open_files_is_raised_where_it_may_be() -> None:
    """50 connections need 128 files more, and only the soft limit is in the way."""
    assert room("-Sn 100") == ("50 178", "")


def test_where_it_may_not_be_raised_there_are_fewer_connections() -> None:
    """The rest of the files are for the server itself, and the log says so."""
    assert room("-n 150") == ("22 150", "22 connections at most: only 150 files may be open")
