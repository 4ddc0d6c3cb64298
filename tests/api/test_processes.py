"""`convscope serve --processes 2`: what it has in common with one process, and what it must add."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.api.real_server import Server, ended, start, stop
from tests.pictures import flat
from tests.tiny_models import write_model

PATH = "/v1/models/colors/classify"
KEY = {"x-api-key": "admin-key-for-tests"}
BOTH = {"0", "1"}

pytestmark = pytest.mark.skipif(not hasattr(signal, "sigtimedwait"), reason="needs Linux")


def start_two(folder: Path, *flags: str) -> Server:
    """Start two processes and return when both answer."""
    root = folder / "models"
    if not root.exists():
        write_model(root)
    server = start(root, "--processes", "2", *flags)
    server.greeting += next_greeting(server)
    return server


def next_greeting(server: Server) -> str:
    assert server.process.stdout
    return server.process.stdout.readline()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that wants keys, even of who only looks at figures."""
    folder = tmp_path_factory.mktemp("two")
    keys = folder / "keys"
    keys.write_text(KEY["x-api-key"])
    server = start_two(folder, "--api-keys-file", str(keys), "--admin-keys-file", str(keys))
    yield server
    assert stop(server) == 0


def children(server: Server) -> list[int]:
    pid = server.process.pid
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def until(holds: Callable[[], object]) -> None:
    """Return as soon as it holds."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def classify(server: Server) -> httpx.Response:
    """Ask over a connection of its own."""
    return httpx.post(server.url + PATH, content=flat("red"), headers=KEY)


def admin(server: Server, path: str) -> httpx.Response:
    return httpx.post(f"{server.url}/v1/models{path}", headers=KEY, timeout=20)


def figures(server: Server, name: str, **labels: str) -> dict[str, float]:
    """Return the samples of that name and labels that are not zero, by process."""
    text = httpx.get(f"{server.url}/metrics", headers=KEY).raise_for_status().text
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and sample.value and labels.items() <= sample.labels.items():
                process = sample.labels["process"]
                found[process] = found.get(process, 0) + sample.value
    return found


def ready_in(server: Server) -> set[str]:
    """Return the processes that serve the model."""
    return set(figures(server, "convscope_model_ready", model="colors"))


def alive(server: Server) -> set[str]:
    """Return the processes of which a scrape tells."""
    return set(figures(server, "convscope_accepting"))


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    """Serve with two processes where that cannot go well."""
    command = [sys.executable, "-m", "service", "serve", "--device", "cpu", "--processes", "2"]
    return subprocess.run([*command, *flags], capture_output=True, text=True, timeout=30)


def test_each_process_greets_with_its_number(server: Server) -> None:
    """Both name the same address."""
    lines = server.greeting.splitlines()
    found = {line.partition(" on ")[2].partition(" ready")[0] for line in lines}
    assert found == {f"{server.url}, process {number}, 1 model" for number in BOTH}


def test_both_processes_answer(server: Server) -> None:
    """The system spreads new connections, and one scrape tells of everybody's."""
    for _ in range(20):
        assert {classify(server).status_code for _ in range(10)} == {200}
        counts = figures(server, "convscope_requests_total", task="classify", code="200")
        if set(counts) == BOTH:
            return
    pytest.fail("one process answered everything")


def test_figures_of_both_are_one_exposition(server: Server) -> None:
    """Each metric is introduced once; every sample says of which process it is."""
    classify(server)
    text = httpx.get(f"{server.url}/metrics", headers=KEY).text
    families = [line for line in text.splitlines() if line.startswith("# TYPE ")]
    assert len(families) == len(set(families)) > 10
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert all('{process="' in line for line in samples)
    assert set(figures(server, "process_resident_memory_bytes")) == BOTH


def test_key_is_wanted_at_the_port_all_the_same(server: Server) -> None:
    """Only the private sockets are open without one."""
    assert httpx.get(f"{server.url}/metrics").status_code == 401
    assert httpx.post(f"{server.url}/v1/models:rescan").status_code == 401


def test_what_an_admin_does_is_done_in_both(server: Server) -> None:
    """The answer is that of one process, and says what came and went."""
    assert ready_in(server) == BOTH
    assert admin(server, "/colors/unload").json()["unloaded"] == ["colors/1"]
    assert ready_in(server) == set()
    assert {classify(server).status_code for _ in range(20)} == {503}
    assert admin(server, "/colors/load?version=1").json()["loaded"] == ["colors/1"]
    assert ready_in(server) == BOTH
    assert admin(server, "/colours/load").status_code == 404


def test_process_that_dies_is_replaced(server: Server) -> None:
    """Meanwhile the other answers, admins hear who did not, and what was unloaded stays so."""
    dying, _ = before = children(server)
    os.kill(dying, signal.SIGKILL)
    until(lambda: gone(dying))
    assert {classify(server).status_code for _ in range(20)} == {200}
    problem = admin(server, "/colors/unload").json()
    assert problem["type"] == "urn:convscope:problem:not-everywhere"
    assert problem["detail"].endswith(" does not answer")
    number = problem["detail"].split()[-4]
    assert alive(server) == BOTH - {number}
    until(lambda: alive(server) == BOTH)
    assert f", process {number}," in next_greeting(server)
    assert len({*children(server), *before}) == 3
    assert ready_in(server) == set()
    assert admin(server, "/colors/load").status_code == 200
    assert ready_in(server) == BOTH


def test_port_of_another_server_is_taken(server: Server) -> None:
    """That processes can share a port must not make two servers one by accident."""
    done = run("--port", str(server.port))
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: Cannot listen on 127.0.0.1 port {server.port}: Address ")


def test_what_the_operator_must_do_is_told_once(tmp_path: Path) -> None:
    """Both find nothing to serve; the command says so like one process would."""
    done = run("--port", "0", "--models-dir", str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    (told,) = [line for line in done.stderr.splitlines() if str(tmp_path) in line]
    assert told.startswith("Error: ")


def test_requests_that_were_begun_are_answered(tmp_path: Path) -> None:
    """Half of each body came before SIGTERM, half of it after: 200, and then exit 0."""
    server, body = start_two(tmp_path), flat("blue")
    connections = [http.client.HTTPConnection("127.0.0.1", server.port) for _ in range(8)]
    for connection in connections:
        connection.putrequest("POST", PATH)
        connection.putheader("content-length", str(len(body)))
        connection.endheaders(body[:100])
    scrapes = 2  # each process is asked
    until(lambda: sum(figures(server, "convscope_in_flight").values()) == 8 + scrapes)
    server.process.send_signal(signal.SIGTERM)
    until(lambda: refuses(server.port))
    for connection in connections:
        connection.send(body[100:])
        answer = connection.getresponse()
        assert (answer.status, b'"blue"' in answer.read()) == (200, True)
    assert ended(server) == 0


def test_nobody_outlives_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even SIGKILL, of which nobody is told, leaves no process behind and frees the port."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # the private folder does stay behind
    server = start_two(tmp_path)
    both = children(server)
    assert stop(server, signal.SIGKILL) == -signal.SIGKILL
    until(lambda: all(map(gone, both)))
    assert refuses(server.port)


def refuses(port: int) -> bool:
    """Return whether nobody listens at the port any more."""
    with socket.socket() as knock:
        return knock.connect_ex(("127.0.0.1", port)) != 0
