"""What SIGTERM does to a server that is in the middle of something."""

import http.client
import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.api.real_server import ended, start
from tests.pictures import flat
from tests.tiny_models import write_model

PATH = "/v1/models/colors/classify"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    write_model(tmp_path)
    return tmp_path


def refuses(port: int) -> bool:
    """Return whether nobody listens at the port any more."""
    with socket.socket() as knock:
        return knock.connect_ex(("127.0.0.1", port)) != 0


def test_request_that_was_begun_is_answered(models: Path) -> None:
    """Half of the body came before SIGTERM, half of it after: 200, and then exit 0."""
    server = start(models)
    body = flat("blue")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest("POST", PATH)
    connection.putheader("content-length", str(len(body)))
    connection.endheaders(body[:100])
    httpx.get(f"{server.url}/livez")  # by now the server has read the head as well
    server.process.send_signal(signal.SIGTERM)
    while not refuses(server.port):
        assert server.process.poll() is None
    connection.send(body[100:])
    answer = connection.getresponse()
    assert answer.status == 200
    assert b'"blue"' in answer.read()
    assert ended(server) == 0


def test_balancers_have_time_to_look_elsewhere(models: Path) -> None:
    """With a delay, new requests are still answered, while readyz says that it ends."""
    server = start(models, "--shutdown-delay-s", "2")
    assert httpx.get(f"{server.url}/readyz").status_code == 200
    server.process.send_signal(signal.SIGTERM)
    while (ready := httpx.get(f"{server.url}/readyz")).status_code == 200:
        pass
    assert (ready.status_code, ready.json()["detail"]) == (503, "The server is shutting down.")
    answer = httpx.post(server.url + PATH, content=flat("red"))
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")
    assert ended(server) == 0


def test_second_signal_ends_the_delay(models: Path) -> None:
    """Who cannot wait says so twice."""
    server = start(models, "--shutdown-delay-s", "600")
    server.process.send_signal(signal.SIGTERM)
    while httpx.get(f"{server.url}/readyz").status_code == 200:
        pass
    server.process.send_signal(signal.SIGTERM)
    assert ended(server) == 0
