"""What is asked again, when, and how often; against a server that answers as it is told."""

import asyncio
import socket
from collections.abc import Iterable
from email.utils import formatdate
from time import monotonic, time
from typing import Any

import httpx
import pytest

from service.client import (
    AsyncClient,
    Client,
    ClientError,
    InvalidRequest,
    NotReached,
    Refused,
    ServerFault,
    TimedOut,
    TooLate,
    Unavailable,
    UnexpectedAnswer,
)
from tests.canned_server import CannedServer, Gate, Reply, Request, always, http, serving
from tests.client.conftest import Ask

TIMING = b'{"decode_ms":1,"queue_ms":1,"compute_ms":1,"total_ms":3,"batch_size":1}'
GOOD = http(b'{"model":{"name":"net","version":1},"predictions":[],"timing":%b}' % TIMING)
FULL = (
    b'{"type":"urn:convscope:problem:overloaded","title":"Overloaded","status":503,'
    b'"detail":"32 files wait already.","request_id":"abc"}'
)


class InTurn:
    """A script that gives one answer after the other, and the last one for ever."""

    def __init__(self, replies: Iterable[bytes | Reply]) -> None:
        self._replies = [r if isinstance(r, Reply) else Reply(r) for r in replies]
        self.times: list[float] = []

    async def __call__(self, _: Request) -> Reply:
        self.times.append(monotonic())
        return self._replies[min(len(self.times), len(self._replies)) - 1]


def busy(*headers: str) -> bytes:
    return http(FULL, "503 Service Unavailable", *headers)


def classify(ask: Ask, server: CannedServer, **client: Any) -> Any:
    return ask(server.url, "classify", b"a picture", "net", client=client)


GONE = Reply(b"", close=True)


@pytest.mark.parametrize(
    "first",
    [busy("retry-after: 0"), busy(f"Retry-After: {formatdate(time() - 60, usegmt=True)}"), GONE],
    ids=["seconds", "date", "closed before an answer"],
)
def test_what_may_work_later_is_asked_again(ask: Ask, first: bytes | Reply) -> None:
    """The same request is sent once more, and its answer is the answer."""
    with serving(InTurn([first, first, GOOD])) as server:
        assert classify(ask, server).model.name == "net"
    assert len(server.requests) == 3
    assert {request.body for request in server.requests} == {b"a picture"}
    assert {request.line for request in server.requests} == {
        "POST /v1/models/net/classify?top_k=5 HTTP/1.1"
    }


def test_pause_is_as_long_as_the_server_asks(ask: Ask) -> None:
    """Retry-After: 1 is a second at least."""
    script = InTurn([busy("retry-after: 1"), GOOD])
    with serving(script) as server:
        classify(ask, server)
    assert script.times[1] - script.times[0] >= 1


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (busy(), Unavailable),
        (busy("retry-after: soon"), Unavailable),
        (http(b"", "429 Too Many Requests", "retry-after: 0"), InvalidRequest),
        (http(b"{}", "400 Bad Request", "retry-after: 0"), InvalidRequest),
        (http(b"<html>", "502 Bad Gateway", "retry-after: 0"), ServerFault),
        (http(FULL.replace(b"503", b"504"), "504 Gateway Timeout"), TooLate),
        (http(b"", "302 Found", "location: /elsewhere"), UnexpectedAnswer),
    ],
)
def test_what_would_be_the_same_is_asked_once(
    ask: Ask, reply: bytes, kind: type[ClientError]
) -> None:
    """Neither what is wrong with a request nor what no end is told of is sent again."""
    with serving(always(reply)) as server, pytest.raises(kind):
        classify(ask, server)
    assert len(server.requests) == 1


@pytest.mark.parametrize("retries", [0, 2])
def test_tries_are_bounded(ask: Ask, retries: int) -> None:
    """After the last one the server's own words are raised."""
    said = pytest.raises(Unavailable, match="32 files wait already")
    with serving(always(busy("retry-after: 0"))) as server, said as full:
        classify(ask, server, retries=retries)
    assert len(server.requests) == 1 + retries
    assert (full.value.retry_after_s, full.value.request_id) == (0, "abc")


def test_pause_beyond_the_time_is_not_begun(ask: Ask) -> None:
    """A minute's pause in a call of half a minute is an error at once."""
    with serving(always(busy("retry-after: 60"))) as server, pytest.raises(Unavailable) as full:
        classify(ask, server)
    assert len(server.requests) == 1
    assert full.value.retry_after_s == 60


def test_server_is_told_what_time_is_left(ask: Ask) -> None:
    """All of it at first, and less after a pause."""
    with serving(InTurn([busy("retry-after: 1"), GOOD])) as server:
        classify(ask, server, timeout_s=20)
    first, second = (float(r.headers["x-request-timeout-ms"]) for r in server.requests)
    assert 19_000 < first <= 20_000
    assert second <= first - 1000


def test_nobody_listening_is_told(ask: Ask) -> None:
    """A connection that is refused is tried again, and then the caller learns of it."""
    with socket.socket() as bound:  # but not listening
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(NotReached, match="/v1/models: no answer came"):
            ask(url, "models", client={"retries": 1})


def test_server_that_comes_up_meanwhile_is_reached() -> None:
    """The first try is refused, before the second the server is there."""
    tries = []
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        address = port.getsockname()

        def count(_: httpx.Request) -> None:
            tries.append(address)
            if len(tries) == 2:
                port.listen()

        with httpx.Client(event_hooks={"request": [count]}) as http_client:
            client = Client(f"http://127.0.0.1:{address[1]}", http=http_client, timeout_s=2)
            # it only listens: that the connection was taken shows in what is said
            with pytest.raises(TimedOut):
                client.models()
    assert len(tries) == 2


def test_answer_that_breaks_off_is_told_and_not_asked_again(ask: Ask) -> None:
    """Its beginning came, so the server had done its work."""
    said = pytest.raises(NotReached, match="broke off")
    with serving(always(GOOD[:-10], close=True)) as server, said:
        classify(ask, server)
    assert len(server.requests) == 1


def test_answer_that_does_not_come_is_not_waited_for(ask: Ask) -> None:
    """When the time is over, it is over."""
    gate = Gate()
    with serving(gate) as server:
        with pytest.raises(TimedOut):
            classify(ask, server, timeout_s=0.3)
        gate.open()
    assert len(server.requests) == 1


def test_answer_that_trickles_is_not_waited_for(ask: Ask) -> None:
    """Each byte comes soon, but all of them would take minutes."""
    endless = http(b"x" * 5_000_000)
    with serving(always(endless, piece_bytes=1)) as server, pytest.raises(TimedOut):
        classify(ask, server, timeout_s=0.5)


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (http(b"<html>"), "no JSON"),
        (http(b'{"model":{"name":"net"}}'), "no Classification: it has no 'version'"),
        (http(b'{"model":1}'), "no Classification"),
        (http(b"[]"), "no Classification"),
        (http(b"[" * 100_000), "no JSON"),
        (http(b"", "308 Permanent Redirect", "location: https://b/"), "sends us to https://b/:"),
    ],
)
def test_answer_of_somebody_else_is_told(ask: Ask, reply: bytes, sentence: str) -> None:
    """Another server at that address is found out."""
    with serving(always(reply)) as server, pytest.raises(UnexpectedAnswer, match=sentence):
        classify(ask, server)


@pytest.mark.parametrize(
    "content",
    [b"[]", b'{"results":3}', b'{"results":[3]}', b'{"results":[{"status":4,"detail":""}]}'],
)
@pytest.mark.parametrize("question", ["classify_all", "embed_all"])
def test_answers_of_somebody_else_are_told(ask: Ask, question: str, content: bytes) -> None:
    """The same of those to several files."""
    with serving(always(http(content))) as server, pytest.raises(UnexpectedAnswer):
        ask(server.url, question, [b"x", b"y"], "net")


def test_problem_of_somebody_else_is_told(ask: Ask) -> None:
    """What only looks like one of ours is shown as it came."""
    strange = b'{"type":"","title":"","status":"bad","detail":""}'
    reply = http(strange, "400 Bad Request")
    with serving(always(reply)) as server, pytest.raises(InvalidRequest, match='"status":"bad"'):
        classify(ask, server)


def test_retry_after_that_is_no_time_is_no_time(ask: Ask) -> None:
    """Digits are not always numbers: this one is a superscript two."""
    with serving(always(busy("retry-after: \xb2"))) as server, pytest.raises(Unavailable):
        classify(ask, server)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"PK\x03\x04",
        b"\x93NUMPY\x01\x00",
        b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f4', ",
    ],
)
def test_array_of_somebody_else_is_told(ask: Ask, content: bytes) -> None:
    """The same of arrays."""
    with serving(always(http(content))) as server, pytest.raises(UnexpectedAnswer, match="npy"):
        ask(server.url, "kernels", "net")


def test_proxy_without_a_server_is_not_ready(ask: Ask) -> None:
    """Whoever says 503, the answer is no; it is not asked again."""
    reply = http(b"<html>no upstream", "503 Service Unavailable", "retry-after: 0")
    with serving(always(reply)) as server:
        readiness = ask(server.url, "ready")
    assert (readiness.ready, readiness.detail) == (False, "<html>no upstream")
    assert len(server.requests) == 1


@pytest.mark.parametrize("end", ["", "/"])
def test_path_of_a_proxy_comes_first(ask: Ask, end: str) -> None:
    """Behind a proxy the server may have a path of its own."""
    with serving(always(GOOD)) as server:
        ask(f"{server.url}/behind/proxy{end}", "classify", b"x", "a net/é")
    assert server.requests[0].line.startswith(
        "POST /behind/proxy/v1/models/a%20net%2F%C3%A9/classify?"
    )


def test_connection_is_used_again() -> None:
    """Two questions, one connection."""
    with serving(always(GOOD)) as server, Client(server.url) as client:
        client.classify(b"x", "net")
        client.classify(b"x", "net")
    assert [request.connection for request in server.requests] == [1, 1]


def test_cancelled_question_leaves_the_client_usable() -> None:
    """Who gives up on one answer gets the next one."""
    gate = Gate()

    async def ask_twice(url: str) -> None:
        async with AsyncClient(url) as client:
            task = asyncio.create_task(client.classify(b"x", "net"))
            while not gate.reached.is_set():
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            gate.open()
            with pytest.raises(UnexpectedAnswer):
                await client.classify(b"x", "net")

    with serving(gate) as server:
        asyncio.run(ask_twice(server.url))
    assert len(server.requests) == 2


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://host", "http://", "http://[::1"])
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    """Before anything is asked."""
    for kind in (Client, AsyncClient):
        with pytest.raises(ValueError, match="no address"):
            kind(url)


@pytest.mark.parametrize("how", [{"timeout_s": 0}, {"retries": -1}])
def test_limits_below_sense_are_refused(how: dict[str, Any]) -> None:
    """A time of nothing is no time."""
    with pytest.raises(ValueError, match="timeout_s must be above 0"):
        Client(**how)


@pytest.mark.parametrize("key", ["", "secret\n", " secret", "schlüssel"])
def test_key_that_no_header_can_carry_is_refused_at_once(key: str) -> None:
    """Such as one with the line end of its file; the message does not tell it."""
    with pytest.raises(ValueError, match=r"^api_key must be letters, digits and signs, without"):
        Client(api_key=key)


def test_all_errors_are_of_one_tree() -> None:
    """Whoever wants to catch them all can."""
    for kind in (Refused, NotReached, TimedOut, UnexpectedAnswer, InvalidRequest):
        assert issubclass(kind, ClientError)
