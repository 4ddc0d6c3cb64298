"""What other machines may cost: `convscope serve` against peers that mean no good."""

import json
import select
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.api.real_server import MB, Server, start, stop
from tests.pictures import flat
from tests.tiny_models import SIZE, change_manifest, colors_graph, write_model

PATH = "/v1/models/colors/classify"
POST = f"POST {PATH} HTTP/1.1\r\nHost: x\r\n"
GET = "GET /livez HTTP/1.1\r\nHost: x\r\n"
CLOSED = (ConnectionResetError, BrokenPipeError)
CHANNELS = 65_536  # of the layer that makes large answers: 16 MB each
IMPATIENT = (
    "--header-timeout-s=1",
    "--body-timeout-s=1",
    "--write-timeout-s=1",
    "--keep-alive-s=1",
    f"--max-inflight-bytes={48 * MB}",
)
NARROW = ("--max-connections=16", f"--max-inflight-bytes={48 * MB}")


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> Any:
        """The body, which must be a problem that belongs to this answer."""
        problem = json.loads(self.body)
        assert self.headers["content-type"] == "application/problem+json"
        assert problem["status"] == self.status
        assert problem["request_id"] == self.headers["x-request-id"]
        return problem


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    folder = write_model(root, graph=wide_graph())

    def widen(manifest: dict[str, Any]) -> None:
        for tap in manifest["graphs"][0]["taps"]:
            tap["shape"] = [CHANNELS, SIZE, SIZE]

    change_manifest(folder, widen)
    return root


def wide_graph() -> onnx.ModelProto:
    """Return a net that answers as `colors_graph` does, but has many channels on the way."""
    model = colors_graph()
    weight, sharpness = (
        next(tensor for tensor in model.graph.initializer if tensor.name == name)
        for name in ("conv.weight", "sharpness")
    )
    filters = np.zeros((CHANNELS, 3, 1, 1), np.float32)
    filters[:3] = numpy_helper.to_array(weight)
    weight.CopyFrom(numpy_helper.from_array(filters, "conv.weight"))
    first = onnx.helper.make_node("Gather", ["pool/ReduceMean", "first"], ["pool/Gather"], axis=1)
    model.graph.initializer.append(numpy_helper.from_array(np.arange(3), "first"))
    nodes = list(model.graph.node)
    place = next(i for i, node in enumerate(nodes) if sharpness.name in node.input)
    nodes[place].input[0] = "pool/Gather"
    nodes.insert(place, first)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


@pytest.fixture(scope="module")
def impatient(root: Path) -> Iterator[Server]:
    yield from running(root, IMPATIENT)


@pytest.fixture(scope="module")
def narrow(root: Path) -> Iterator[Server]:
    yield from running(root, NARROW)


def running(root: Path, flags: Sequence[str]) -> Iterator[Server]:
    server = start(root, *flags)
    yield server
    assert stop(server) == 0


@pytest.fixture
def server(impatient: Server) -> Iterator[Server]:
    """A server that waits for nobody, which must be well afterwards and not have grown."""
    yield from unharmed(impatient)


@pytest.fixture
def narrow_server(narrow: Server) -> Iterator[Server]:
    """A server with room for few, which must be well afterwards and not have grown."""
    yield from unharmed(narrow)


def unharmed(server: Server) -> Iterator[Server]:
    before = server.peak_bytes
    yield server
    answer = httpx.post(server.url + PATH, content=flat("red"))
    assert answer.json()["predictions"][0]["label"] == "red"
    assert server.peak_bytes - before < 250 * MB


def connect(server: Server, receive_bytes: int | None = None) -> socket.socket:
    """Return a connection; receive_bytes: how much the system takes in before it is read."""
    peer = socket.socket()
    if receive_bytes:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    peer.settimeout(20)
    peer.connect(("127.0.0.1", server.port))
    return peer


def read_to_the_end(peer: socket.socket) -> bytes:
    """Return what comes until the server closes, which it must within the socket's timeout."""
    chunks = []
    try:
        while chunk := peer.recv(65536):
            chunks.append(chunk)
    except CLOSED:
        pass
    return b"".join(chunks)


def trickle(peer: socket.socket, drop: bytes) -> bytes:
    """Send drop after drop until an answer comes, and return all of it."""
    for _ in range(2000):
        if select.select([peer], [], [], 0.01)[0]:
            break
        try:
            peer.sendall(drop)
        except OSError:
            break
    else:
        pytest.fail("nothing came")
    return read_to_the_end(peer)


def answers_in(data: bytes) -> list[Answer]:
    answers = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        length = int(headers["content-length"])
        answers.append(Answer(int(first.split()[1]), headers, data[:length]))
        data = data[length:]
    return answers


def the_answer(data: bytes) -> Answer:
    (answer,) = answers_in(data)
    return answer


def test_silent_connection_is_closed(server: Server) -> None:
    """Who connects and says nothing is let go of."""
    with connect(server) as peer:
        assert read_to_the_end(peer) == b""


def test_connection_that_says_nothing_in_many_words_is_closed(server: Server) -> None:
    """Empty lines are no request."""
    with connect(server) as peer:
        assert trickle(peer, b"\r\n") == b""


def test_slow_head_is_refused(server: Server) -> None:
    """A head that comes drop by drop is answered 408 before it is complete."""
    with connect(server) as peer:
        peer.sendall(GET.encode() + b"x-request-id: mine\r\n")
        answer = the_answer(trickle(peer, b"a: b\r\n"))
    assert answer.status == 408
    assert answer.problem["type"] == "urn:convscope:problem:slow-request"
    assert answer.problem["request_id"] == "mine"


def test_slow_head_of_a_second_request_is_refused(server: Server) -> None:
    """Having asked once does not buy more patience."""
    with connect(server) as peer:
        peer.sendall(f"{GET}\r\n".encode())
        assert peer.recv(65536).startswith(b"HTTP/1.1 200 ")
        peer.sendall(b"GET /livez HT")
        assert the_answer(read_to_the_end(peer)).status == 408


def test_connection_stays_for_the_next_request_only_so_long(server: Server) -> None:
    """An answered client may ask again, and is let go of when it does not."""
    with connect(server) as peer:
        peer.sendall(f"{GET}\r\n".encode() * 2)
        answers = answers_in(read_to_the_end(peer))
    assert [answer.status for answer in answers] == [200, 200]


@pytest.mark.parametrize(
    "head",
    [
        GET + f"a: {'x' * MB}\r\n\r\n",
        GET + "a: b\r\n" * 10_000 + "\r\n",
        f"GET /{'x' * MB} HTTP/1.1\r\n\r\n",
        GET + f"a: {'x' * 33_000}\r\n\r\n",
    ],
    ids=["value", "lines", "path", "just too large"],
)
def test_giant_head_is_refused(server: Server, head: str) -> None:
    """Nobody's headers are kept without end."""
    with connect(server) as peer:
        peer.sendall(head.encode())
        answer = the_answer(read_to_the_end(peer))
    assert answer.status == 431
    assert "more than 32,768 bytes" in answer.problem["detail"]


def test_large_head_is_no_giant(server: Server) -> None:
    """What the limit allows is answered, also with a large body close behind."""
    body = bytes(200_000)
    head = f"{POST}a: {'x' * 32_000}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with connect(server) as peer:
        peer.sendall(head.encode() + body)
        assert the_answer(read_to_the_end(peer)).status == 415


def test_endless_trailers_are_refused(server: Server) -> None:
    """What follows a body is no place for gigabytes either."""
    with connect(server) as peer:
        peer.sendall(f"{POST}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n".encode())
        answer = the_answer(trickle(peer, b"a: " + b"b" * 10_000 + b"\r\n"))
    assert answer.status == 431


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"HELO x\r\n"]
)
def test_what_is_no_http_is_refused_readably(server: Server, data: bytes) -> None:
    """A problem like any other, and the connection closes."""
    with connect(server) as peer:
        peer.sendall(data)
        answer = the_answer(read_to_the_end(peer))
    assert answer.status == 400
    assert answer.headers["connection"] == "close"
    assert answer.problem["detail"] == "This is not HTTP/1.1."


def test_request_that_would_rather_speak_http2_is_answered(server: Server) -> None:
    """Java's HttpClient asks to upgrade with every request; its body is a body all the same."""
    body = flat("green")
    upgrade = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    request = f"{POST}{upgrade}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with connect(server) as peer:
        for part in (request[:300], request[300:] + request):
            peer.sendall(part)
        answers = answers_in(read_to_the_end(peer))
    assert [json.loads(answer.body)["predictions"][0]["label"] for answer in answers] == [
        "green",
        "green",
    ]


def test_broken_body_is_refused(server: Server) -> None:
    """Who announces chunks and sends none is told once, by the protocol."""
    with connect(server) as peer:
        peer.sendall(f"{POST}Transfer-Encoding: chunked\r\n\r\nno number\r\n".encode())
        assert the_answer(read_to_the_end(peer)).status == 400


def test_good_request_before_a_bad_one_has_its_answer(server: Server) -> None:
    """The answer to a request is never that to the bytes behind it."""
    with connect(server) as peer:
        peer.sendall(f"{GET}\r\nnonsense\r\n\r\n".encode())
        answer = the_answer(read_to_the_end(peer))
    assert answer.status == 200
    assert answer.headers["connection"] == "close"


def test_only_so_many_requests_are_taken_ahead(server: Server) -> None:
    """One is answered at a time and 64 may wait; then the connection closes."""
    with connect(server) as peer:
        peer.sendall(f"{GET}\r\n".encode() * 500)
        answers = answers_in(read_to_the_end(peer))
    assert {answer.status for answer in answers} == {200}
    assert len(answers) == 65


def test_requests_sent_ahead_in_large_numbers_cost_no_memory(server: Server) -> None:
    """What is not read yet waits in the network, not here."""

    def flood(peer: socket.socket) -> None:
        while True:
            peer.sendall(f"{GET}\r\n".encode() * 1000)

    with connect(server, receive_bytes=4096) as peer, pytest.raises(CLOSED):
        flood(peer)


@pytest.mark.parametrize("drop", [b"x", b""], ids=["trickle", "stall"])
def test_body_that_takes_too_long_is_refused(server: Server, drop: bytes) -> None:
    """408, whether some of it still comes or nothing at all."""
    with connect(server) as peer:
        peer.sendall(f"{POST}Content-Length: 1000000\r\n\r\n{'x' * 100}".encode())
        answer = the_answer(trickle(peer, drop) if drop else read_to_the_end(peer))
    assert answer.status == 408
    assert answer.problem["type"] == "urn:convscope:problem:slow-request"
    assert answer.headers["connection"] == "close"


def test_slow_form_is_refused(server: Server) -> None:
    """The same for multipart."""
    head = f"{POST}Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\n\r\n"
    part = '--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    with connect(server) as peer:
        peer.sendall((head + part).encode())
        assert the_answer(read_to_the_end(peer)).status == 408


def test_body_that_nobody_wanted_does_not_keep_the_connection(server: Server) -> None:
    """The rest of a body that goes on after its answer is not waited for without end."""
    with connect(server) as peer:
        peer.sendall(b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):
            answer += peer.recv(65536)
        assert the_answer(answer).status == 405
        assert trickle(peer, b"x" * 1000) == b""


def ask_for_much(server: Server, receive_bytes: int | None = 4096) -> socket.socket:
    """Return a connection that has asked for 16 MB and reads nothing of them."""
    body = flat("red")
    peer = connect(server, receive_bytes)
    request = (
        f"POST /v1/models/colors/feature-maps?layer=conv HTTP/1.1\r\nHost: x\r\n"
        f"Accept: application/x-npy\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    peer.sendall(request.encode() + body)
    return peer


def test_answer_that_nobody_reads_is_dropped(server: Server) -> None:
    """The connection is reset with most of the answer unsent."""
    with ask_for_much(server) as peer:
        assert peer.recv(100, socket.MSG_PEEK).startswith(b"HTTP/1.1 200 ")
        watcher = select.poll()
        watcher.register(peer, select.POLLRDHUP)  # tells of the end without reading
        assert watcher.poll(20_000)
        assert len(read_to_the_end(peer)) < 1 * MB


def test_answers_that_nobody_reads_cost_bounded_memory(server: Server) -> None:
    """Of 30 times 16 MB, those that have waited longest are given up at once."""
    with ExitStack() as stack:
        peers = [stack.enter_context(ask_for_much(server)) for _ in range(30)]
        for peer in peers:
            read_to_the_end(peer)


def test_slow_reader_is_served(server: Server) -> None:
    """Who reads on may take several times as long as one who does not."""
    received = 0
    with ask_for_much(server, receive_bytes=100_000) as peer:
        while received < CHANNELS * SIZE * SIZE * 4:
            received += len(peer.recv(100_000, socket.MSG_WAITALL))
            time.sleep(0.02)


def test_uploads_beyond_the_budget_are_refused_and_small_ones_served(
    narrow_server: Server,
) -> None:
    """Two of 20 MB fit into 48 MB, a third does not, a picture does; in the end all is free."""
    url, size = narrow_server.url + PATH, 20 * MB
    head = f"{POST}Content-Length: {size}\r\nConnection: close\r\n\r\n".encode()
    with connect(narrow_server) as one, connect(narrow_server) as two:
        for peer in (one, two):
            peer.sendall(head + bytes(size - 1))
        wait_until_there_is_no_room_for(size, narrow_server)
        third = httpx.post(url, content=bytes(size), timeout=20)
        assert third.status_code == 503
        assert third.headers["retry-after"] == "1"
        assert third.json()["type"] == "urn:convscope:problem:overloaded"
        assert httpx.post(url, content=flat("blue")).status_code == 200
        for peer in (one, two):
            peer.sendall(b"x")
            assert the_answer(read_to_the_end(peer)).status == 415
    assert httpx.post(url, content=bytes(size), timeout=20).status_code == 415


def wait_until_there_is_no_room_for(size: int, server: Server) -> None:
    """Ask for leave to send so much, and send nothing, until that is refused."""
    asking = f"{POST}Content-Length: {size}\r\nExpect: 100-continue\r\n\r\n".encode()
    for _ in range(1000):
        with connect(server) as peer:
            peer.sendall(asking)
            if peer.recv(65536).startswith(b"HTTP/1.1 503 "):
                return
    pytest.fail("there was always room")


def test_parallel_uploads_are_served_or_refused(narrow_server: Server) -> None:
    """Twelve of 20 MB at once: each has an answer, and it is one of these two."""

    def upload(_: int) -> int:
        url = narrow_server.url + PATH
        return httpx.post(url, content=bytes(20 * MB), timeout=20).status_code

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(upload, range(12))) <= {415, 503}


def test_connections_beyond_the_limit_are_turned_away(narrow_server: Server) -> None:
    """503 with Retry-After for the 17th; when one of the others goes, there is room again."""
    with ExitStack() as stack:
        peers = [stack.enter_context(connect(narrow_server)) for _ in range(16)]
        for _ in range(200):
            with connect(narrow_server) as peer:
                answer = the_answer(read_to_the_end(peer))
            assert answer.status == 503
            assert answer.headers["retry-after"] == "1"
            assert answer.headers["connection"] == "close"
            assert answer.problem["type"] == "urn:convscope:problem:overloaded"
        peers[0].sendall(f"{GET}Connection: close\r\n\r\n".encode())
        assert the_answer(read_to_the_end(peers[0])).status == 200
        assert httpx.get(narrow_server.url + "/livez").status_code == 200
