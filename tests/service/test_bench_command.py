import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from service.cli import main
from tests.canned_server import Reply, Request, Script, always, http, serving
from tests.pictures import flat
from tests.tiny_models import write_model

MOMENT = ["--duration", "0.2", "--warmup", "0"]
MODULE = [sys.executable, "-m", "service", "bench"]
KEYS = [
    "url",
    "model",
    "data",
    "concurrency",
    "rate",
    "duration_s",
    "sent",
    "ok",
    "statuses",
    "errors",
    "throughput",
    "latency_ms",
    "refused_latency_ms",
    "time_share",
    "mean_batch_size",
    "connections",
    "client_cpu_s",
    "ended_early",
    "refusal",
]


def bench(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["bench", *MOMENT, *map(str, arguments)])


def problem(status: str, detail: str) -> Script:
    body = json.dumps({"title": "x", "detail": detail}).encode()
    return always(http(body, status, "content-type: application/problem+json"))


def test_json_is_one_object() -> None:
    """With the figures of the run, and nothing else on standard output or beside it."""
    with serving(always(http())) as server:
        result = bench(server.url, "--model", "m", "--concurrency", 2, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    assert list(report) == KEYS
    assert report["url"] == server.url + "/v1/models/m/classify"
    assert (report["model"], report["concurrency"], report["rate"]) == ("m", 2, None)
    assert report["ok"] == report["sent"] == report["statuses"]["200"] > 0
    assert set(report["latency_ms"]) == {"p50", "p90", "p99", "p99.9", "max", "mean"}
    assert set(report["time_share"]) == {"decode", "queue", "compute", "rest"}
    assert report["mean_batch_size"] == 4.0
    # one more than measured: the first request is for learning whether it is any use
    assert len(server.requests) == report["sent"] + 1


def test_text_tells_the_same() -> None:
    """A line for each figure that there is, none for what there is not."""
    with serving(always(http())) as server:
        result = bench(server.url, "--model", "m")
    assert result.exit_code == 0
    address, load, *figures = result.stdout.splitlines()
    assert address == server.url + "/v1/models/m/classify"
    assert load == "8 connections, a JPEG of 640 x 480 made here, 0.2 s after 0 s"
    names = [re.split("  +", line)[0] for line in figures]
    assert names == [
        "answers",
        "statuses",
        "latency, ms",
        "time",
        "batches",
        "connections",
        "client",
    ]
    assert re.search(r"p99\.9 [\d.,]+  max [\d.,]+  mean", result.stdout)


def test_picture_is_made_where_none_is_given() -> None:
    """A JPEG that a server can decode."""
    with serving(always(http())) as server:
        assert bench(server.url).exit_code == 0
    with Image.open(io.BytesIO(server.requests[0].body)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (640, 480))
    assert {request.line for request in server.requests} == {"POST /v1/classify HTTP/1.1"}


def test_files_and_folders_are_sent(tmp_path: Path) -> None:
    """Of folders the pictures, deeper ones too; files as they are."""
    folder = tmp_path / "pictures"
    (folder / "deeper").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(b"a")
    (folder / "deeper" / "b.PNG").write_bytes(b"bb")
    (folder / "notes.txt").write_bytes(b"no picture")
    (tmp_path / "sound.wav").write_bytes(b"ccc")
    with serving(always(http())) as server:
        result = bench(server.url, "--data", folder, "--data", tmp_path / "sound.wav")
    assert {request.body for request in server.requests} == {b"a", b"bb", b"ccc"}
    assert "3 files, 6 bytes" in result.stdout


def test_route_is_made_of_model_and_task() -> None:
    """The task may have parameters; the model's name is quoted."""
    with serving(always(http())) as server:
        bench(server.url + "/", "--model", "a/b c", "--task", "segment?format=rle")
    assert server.requests[0].line == "POST /v1/models/a%2Fb%20c/segment?format=rle HTTP/1.1"


@pytest.mark.parametrize("by", ["flag", "environment"])
def test_key_is_sent(monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    """As a bearer token, and it is told nowhere."""
    if by == "environment":
        monkeypatch.setenv("CONVSCOPE_API_KEY", "secret")
    with serving(always(http())) as server:
        result = bench(server.url, *(["--api-key", "secret"] if by == "flag" else []))
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer secret"}
    assert "secret" not in result.output


def test_open_loop_has_a_rate() -> None:
    """The schedule decides how many are sent."""
    with serving(always(http())) as server:
        result = bench(server.url, "--rate", 100, "--json", "--seed", 3)
        text = bench(server.url, "--rate", 100).stdout
    report = json.loads(result.stdout)
    assert (report["rate"], report["concurrency"]) == (100.0, 512)
    assert report["sent"] == report["ok"] > 0
    assert "100 requests a second on at most 512 connections" in text


@pytest.mark.parametrize(
    ("status", "told"),
    [("404 Not Found", "404: No 'm'."), ("401 Unauthorized", "401: No 'm'."), ("308 X", "308: ")],
)
def test_hopeless_answer_ends_it_at_once(status: str, told: str) -> None:
    """An unknown model or a refused key is told by the first request, in the server's words."""
    with serving(problem(status, "No 'm'.")) as server:
        result = bench(server.url, "--model", "m", "--duration", 600)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"Error: {server.url}/v1/models/m/classify answers {told}")
    assert len(server.requests) == 1


def test_nothing_good_is_an_error_after_the_report() -> None:
    """A server that is full all the time: its figures, and why the exit code is 1."""
    with serving(problem("503 Service Unavailable", "The queue is full.")) as server:
        result = bench(server.url, "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["ok"], report["latency_ms"]) == (0, None)
    assert report["refused_latency_ms"]["p50"] > 0
    assert result.stderr == (
        "Error: No answer was good. The last one was 503: The queue is full.\n"
    )


def test_server_that_fails_after_the_first_request_is_told() -> None:
    """The errors are in the report, and the commonest is why."""
    first = True

    async def script(_: Request) -> Reply:
        nonlocal first
        good, first = first, False
        return Reply(http()) if good else Reply(b"", close=True)

    with serving(script) as server:
        result = bench(server.url)
    assert result.exit_code == 1
    assert re.search(r"^errors +closed: [\d,]+$", result.stdout, re.MULTILINE)
    assert "closed the connection without a whole answer" in result.stderr


def test_nobody_listening_is_a_sentence() -> None:
    """Not a report of thousands of errors."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    result = bench(url, "--duration", 600)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"Error: {url}/v1/classify does not answer: nobody listens there (connection refused).\n"
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["localhost"], "'localhost/v1/classify' is no address such as http://"),
        (["--data", "nix.jpg"], "nix.jpg: No such file or directory"),
        (["--data", "."], "There are no pictures in ."),
        (["--api-key", "a\nb"], "The header 'Authorization' has characters"),
    ],
)
def test_what_the_user_got_wrong_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    """Exit code 1, and nothing is sent."""
    monkeypatch.chdir(tmp_path)
    result = bench(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert told in result.stderr


@pytest.mark.parametrize(
    "flags", [["--rate", "0"], ["--duration", "0"], ["--concurrency", "0"], ["--timeout", "-1"]]
)
def test_wrong_flag_is_named(flags: list[str]) -> None:
    """Exit code 2, as for every command."""
    result = bench(*flags)
    assert result.exit_code == 2
    assert f"Invalid value for '{flags[0]}'" in result.stderr


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no terminals here")
def test_progress_is_shown_on_a_terminal() -> None:
    """On standard error, and wiped away before the report."""
    ours, theirs = os.openpty()
    with serving(always(http())) as server:
        command = [*MODULE, server.url, "--duration", "0.5", "--warmup", "0.3"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, text=True, timeout=60)
    os.close(theirs)
    shown = os.read(ours, 1 << 20).decode()
    os.close(ours)
    assert done.returncode == 0
    assert "] warming up: 0 ok, 0 refused, 0 failed" in shown
    assert re.search(r"\[#+ +\] 0\.\d of 0\.5 s: [\d,]+ ok", shown)
    assert shown.endswith("\r\x1b[K")
    assert done.stdout.startswith(server.url)


@pytest.mark.skipif(os.name == "nt", reason="signals are sent in another way there")
def test_ctrl_c_still_prints_the_report() -> None:
    """Exit code 0, since there are figures, and nothing on a standard error that is a pipe."""
    enough = 20
    process: subprocess.Popen[str]

    async def script(_: Request) -> Reply:
        if len(server.requests) == enough:
            process.send_signal(signal.SIGINT)
        return Reply(http())

    with serving(script) as server:
        command = [*MODULE, server.url, "--duration", "600", "--warmup", "0", "--json"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, "")
    report = json.loads(stdout)
    assert report["ended_early"]
    assert report["duration_s"] < 600
    assert report["ok"] > 0


@pytest.fixture(scope="module")
def convscope(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server, in a process of its own."""
    root = tmp_path_factory.mktemp("models")
    write_model(root)
    flags = ["--models-dir", str(root), "--port", "0", "--device", "cpu"]
    command = [sys.executable, "-m", "service", "serve", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        greeting = process.stdout.readline()
        found = re.search(r"http://\S+(?=,)", greeting)
        try:
            assert found, greeting
            yield found[0]
        finally:
            process.terminate()
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("load", [["--concurrency", 4], ["--rate", 50]], ids=["closed", "open"])
def test_real_server_is_measured(convscope: str, tmp_path: Path, load: list[object]) -> None:
    """All is answered well, and the server's own times are part of what the client saw."""
    (tmp_path / "a.png").write_bytes(flat("red", "PNG"))
    result = bench(convscope, "--model", "colors", "--data", tmp_path, "--json", *load)
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["ok"] == report["sent"] == report["statuses"]["200"] > 0
    assert report["errors"] == {}
    assert all(0 <= share <= 1 for share in report["time_share"].values())
    assert sum(report["time_share"].values()) == pytest.approx(1, abs=0.001)
    assert report["mean_batch_size"] >= 1


def test_real_server_says_which_model_it_has(convscope: str) -> None:
    """Its hint reaches the user."""
    result = bench(convscope, "--model", "colour")
    assert result.exit_code == 1
    assert "answers 404: There is no model 'colour'. Did you mean 'colors'?" in result.stderr


def test_real_server_refuses_what_is_no_picture(convscope: str, tmp_path: Path) -> None:
    """Measured all the same, since other files might be some; in the end it is told."""
    (tmp_path / "notes.txt").write_text("no picture")
    result = bench(convscope, "--model", "colors", "--data", tmp_path / "notes.txt")
    assert result.exit_code == 1
    assert "The last one was 415: The data is no picture" in result.stderr
