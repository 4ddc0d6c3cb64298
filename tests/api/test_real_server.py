"""`convscope serve` as its own process, over a real socket."""

import re
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from tests.api.real_server import MB, Server, start, stop
from tests.pictures import bomb, flat
from tests.tiny_models import write_model

PATH = "/v1/models/colors/classify"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("models")
    write_model(root)
    server = start(root)
    yield server
    assert stop(server) == 0


def test_greeting_tells_where_what_and_on_what(server: Server) -> None:
    """One line says all that the operator wants to know."""
    assert re.fullmatch(
        r"convscope \S+ on http://127\.0\.0\.1:\d+, 1 model ready on CPUExecutionProvider "
        r"in \d+\.\d s\n",
        server.greeting,
    )


def test_picture_is_answered(server: Server) -> None:
    """The main job, over a real socket."""
    answer = httpx.post(server.url + PATH, content=flat("blue"))
    assert answer.status_code == 200
    assert answer.json()["predictions"][0]["label"] == "blue"


def blocks(total: int) -> Iterator[bytes]:
    block = bytes(MB)
    for _ in range(total // MB):
        yield block


@pytest.mark.parametrize("announced", [True, False], ids=["content-length", "chunked"])
@pytest.mark.parametrize("form", [True, False], ids=["form", "raw"])
def test_body_of_300_mb_is_refused_readably(server: Server, announced: bool, form: bool) -> None:
    """The client reads its 413, and the server's memory stays bounded."""
    before = server.peak_bytes
    headers = {"content-length": str(300 * MB)} if announced else {}
    if form:
        headers["content-type"] = "multipart/form-data; boundary=x"
    answer = httpx.post(server.url + PATH, content=blocks(300 * MB), headers=headers, timeout=60)
    # a form whose first bytes are no boundary is malformed before it is too large
    assert answer.status_code == (413 if announced or not form else 400)
    assert answer.headers["content-type"] == "application/problem+json"
    assert server.peak_bytes - before < 100 * MB


def test_client_that_sends_all_before_it_reads_gets_its_answer(server: Server) -> None:
    """Simple clients, such as Python's own, would only see a broken pipe if we hung up on them."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    headers = {"Content-Length": str(300 * MB), "Connection": "close"}
    connection.request("POST", PATH, body=blocks(300 * MB), headers=headers)
    answer = connection.getresponse()
    assert answer.status == 413
    assert b"at most 33,554,432 bytes" in answer.read()
    connection.close()


def test_client_that_asks_first_is_refused_before_it_sends(server: Server) -> None:
    """With Expect: 100-continue the 413 comes at once, not after the body."""
    request = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {300 * MB}\r\n"
        "Expect: 100-continue\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(request.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_client_that_goes_away_harms_nobody(server: Server) -> None:
    """Half a body and a closed connection: the next one is served."""
    request = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(request.encode())
    assert httpx.post(server.url + PATH, content=flat("red")).status_code == 200


def test_bombs_in_parallel_cost_no_memory(server: Server) -> None:
    """Pictures of 900 million pixels are refused by their headers."""
    before, data = server.peak_bytes, bomb()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: httpx.post(server.url + PATH, content=data), range(16)))
    assert {answer.status_code for answer in answers} == {413}
    assert server.peak_bytes - before < 100 * MB


def test_server_answers_while_others_are_computing(server: Server) -> None:
    """Sixteen clients at once all get their own answer."""
    colors = ["red", "lime", "blue", "red"] * 4
    with ThreadPoolExecutor(16) as pool:
        answers = pool.map(lambda c: httpx.post(server.url + PATH, content=flat(c)).json(), colors)
        labels = [answer["predictions"][0]["label"] for answer in answers]
    assert labels == [{"lime": "green"}.get(color, color) for color in colors]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_server_stops_cleanly_when_told(tmp_path: Path, how: signal.Signals) -> None:
    """Ctrl-C and docker stop both end with exit code 0."""
    write_model(tmp_path)
    assert stop(start(tmp_path), how) == 0


def test_refused_models_are_told_at_the_start(tmp_path: Path) -> None:
    """Below the greeting there is a line for every model that is not served."""
    write_model(tmp_path)
    (write_model(tmp_path, "bad") / "CARD.md").unlink()
    server = start(tmp_path)
    assert server.process.stdout
    assert server.process.stdout.readline() == "refused bad/1/CARD.md: is missing\n"
    stop(server)
