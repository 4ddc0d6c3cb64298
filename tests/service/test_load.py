import asyncio
import io
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from statistics import mean, median
from typing import Any

import pytest
from PIL import Image

from service.load import (
    Answer,
    InvalidTarget,
    Job,
    Progress,
    Report,
    Target,
    Unanswered,
    probe,
    run,
    run_closed,
    run_open,
)
from service.load.alarm import Alarm, LoopTimer, TimerFd
from service.load.dialer import Dialer
from service.load.failure import Failure, kind_of
from service.load.lane import Lane
from service.load.report import latency_ms, report_of, time_share
from service.load.sample import SIZE_PX, sample_jpeg
from service.load.schedule import poisson
from service.load.tally import Tally, Timing
from tests.canned_server import (
    GOOD,
    TIMING,
    CannedServer,
    Gate,
    Reply,
    Request,
    Script,
    always,
    http,
    serving,
)

BODIES = [b"one", b"two", b"three"]


def target_of(server: CannedServer, path: str = "/ask") -> Target:
    return Target(server.url + path)


def closed(script: Script, concurrency: int = 2, timeout_s: float = 30.0) -> Report:
    """Put a closed loop's load on a server with this script, for a moment."""
    with serving(script) as server:
        return run_closed(target_of(server), BODIES, concurrency, 0.2, 0, timeout_s=timeout_s)


@pytest.fixture
def free_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


# Figures


def test_percentile_is_the_nearest_rank() -> None:
    """Of 1..1000 ms the 999th is p99.9; of one latency all are that one; of none there are none."""
    assert latency_ms([n / 1000 for n in range(1000, 0, -1)]) == {
        "p50": 500.0,
        "p90": 900.0,
        "p99": 990.0,
        "p99.9": 999.0,
        "max": 1000.0,
        "mean": 500.5,
    }
    assert latency_ms([n / 1000 for n in (1, 2, 3, 4, 5, 6, 7)]) == {
        "p50": 4.0,  # 3.5 of 7 are not half
        "p90": 7.0,
        "p99": 7.0,
        "p99.9": 7.0,
        "max": 7.0,
        "mean": 4.0,
    }
    assert set((latency_ms([0.25]) or {}).values()) == {250.0}
    assert latency_ms([]) is None


def test_time_is_shared_out() -> None:
    """Two answers of 10 and 30 ms: what the server says, and the rest, add up to all."""
    timing = Timing()
    timing.add(GOOD, 0.010)
    timing.add(GOOD.replace(b"5.0", b"20.0"), 0.030)
    assert time_share(timing) == {"decode": 0.05, "queue": 0.1, "compute": 0.625, "rest": 0.225}
    assert time_share(Timing()) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x93NUMPY",
        b'{"timing":',
        b'{"timing":{}}',
        b'{"timing":{"decode_ms":null,"queue_ms":1,"compute_ms":1,"batch_size":1}}',
        GOOD.replace(b'"batch_size":4', b'"batch_size":0'),
        b'{"predictions":[{"label":"timing"}]}',
    ],
)
def test_answer_without_timing_is_no_harm(body: bytes) -> None:
    """Other servers say nothing of their time; such answers have no part in its shares."""
    timing = Timing()
    timing.add(body, 1.0)
    assert (timing.answers, timing.seen_s, timing.batches) == (0, 0.0, 0.0)


def test_timing_is_found_wherever_it_is() -> None:
    """With spaces, line ends and other fields around it."""
    timing = Timing()
    timing.add(TIMING.join([b'{"x": {"y": 1}, ', b', "z": [1]}']).replace(b":{", b": {\n"), 0.01)
    assert (timing.decode_ms, timing.queue_ms, timing.compute_ms) == (1.0, 2.0, 5.0)


def report_on(tally: Tally) -> Report:
    return report_of(Job(Target("http://x"), BODIES, 1, 1.0), tally, 3, 0.5, False)


def test_batch_size_is_the_mean_over_batches() -> None:
    """One request alone and one batch of three are two batches of two, not of two and a half."""
    tally = Tally(0, 10)
    for size in (b"1", b"3", b"3", b"3"):
        tally.answered(1, 2, 200, GOOD.replace(b'"batch_size":4', b'"batch_size":' + size))
    assert report_on(tally).mean_batch_size == 2.0


def test_only_the_window_counts() -> None:
    """Requests count by when they were due, throughput by when the answers came."""
    tally = Tally(begin=10, end=20)
    tally.answered(9, 9.5, 200, b"")  # all of it in the warm-up
    tally.answered(9, 11, 200, b"")  # answered in the window
    tally.answered(11, 12, 201, b"")
    tally.answered(12, 13, 503, b'{"detail": "full"}')
    tally.failed(13, "reset")
    tally.answered(19, 22, 200, b"")  # answered after it
    tally.failed(20, "timeout")  # due after it
    report = report_on(tally)
    assert (report.sent, report.ok, report.duration_s) == (4, 2, 10.0)
    assert report.statuses == {"200": 1, "201": 1, "503": 1}
    assert report.errors == {"reset": 1}
    assert report.throughput == 0.2
    assert report.latency_ms == {
        "p50": 1000.0,
        "p90": 3000.0,
        "p99": 3000.0,
        "p99.9": 3000.0,
        "max": 3000.0,
        "mean": 2000.0,
    }
    assert report.refused_latency_ms is not None
    assert report.refused_latency_ms["max"] == 1000.0
    assert report.refusal == "503: full"


def test_poisson_arrivals_are_the_seeds() -> None:
    """The same seed gives the same times, in order and in the span; their mean gap is 1 / rate."""
    first = list(poisson(100, 5, 105, seed=1))
    assert first == list(poisson(100, 5, 105, seed=1))
    assert first != list(poisson(100, 5, 105, seed=2))
    assert first == sorted(first)
    assert first[0] > 5
    assert first[-1] < 105
    gaps = [later - earlier for earlier, later in pairwise(first)]
    # of an exponential distribution the median is ln 2 of the mean; 3 % is three sigma
    assert mean(gaps) == pytest.approx(0.01, rel=0.03)
    assert median(gaps) == pytest.approx(0.00693, rel=0.05)


# Requests


def test_request_is_written_as_http() -> None:
    """Head and body in one piece, with what the target says and nothing else."""
    target = Target("http://[::1]:81/a b/ü?x=1&y=é%20", {"Content-Type": "image/png"})
    assert (target.host, target.port, target.tls) == ("::1", 81, False)
    assert target.request(b"body") == (
        b"POST /a%20b/%C3%BC?x=1&y=%C3%A9%20 HTTP/1.1\r\nHost: [::1]:81\r\n"
        b"Content-Type: image/png\r\nContent-Length: 4\r\n\r\nbody"
    )
    secure = Target("https://example.org", method="GET")
    assert (secure.port, secure.tls) == (443, True)
    assert secure.request(b"").startswith(b"GET / HTTP/1.1\r\nHost: example.org:443\r\n")


@pytest.mark.parametrize(
    "url", ["", "nonsense", "127.0.0.1:8000", "ftp://x", "http://", "http://x:99999", "http://[::1"]
)
def test_wrong_address_is_refused(url: str) -> None:
    """Told when the target is made, not when it is used."""
    with pytest.raises(InvalidTarget, match="is no address such as"):
        Target(url)


def test_header_cannot_smuggle_another() -> None:
    """Line ends are refused, and the value, which may be a key, is not repeated."""
    with pytest.raises(InvalidTarget) as caught:
        Target("http://x", {"Authorization": "secret\r\nX: y"})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"bodies": []},
        {"concurrency": 0},
        {"duration_s": 0},
        {"warmup_s": -1},
        {"timeout_s": 0},
        {"rate": 0},
        {"duration_s": float("nan")},
    ],
    ids=str,
)
def test_impossible_job_is_refused(changes: dict[str, Any]) -> None:
    """Nothing is sent then."""
    arguments = {"target": Target("http://x"), "bodies": BODIES, "concurrency": 1, "duration_s": 1}
    with pytest.raises(ValueError, match=r"must|no body"):
        Job(**arguments | changes)


def test_bodies_are_sent_in_turn() -> None:
    """Each once before any twice, in an order that the seed decides."""
    job = Job(Target("http://x"), [bytes([n]) for n in range(20)], 1, 1)
    requests = job.requests()
    first, second = [[next(requests)[-1] for _ in range(20)] for _ in range(2)]
    assert first == second
    assert sorted(first) == list(range(20))
    assert first != list(range(20))


def test_server_gets_what_was_meant_for_it() -> None:
    """Path, headers and bodies arrive as they were given, multipart and all."""
    form = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\na\r\n--x--\r\n'
    with serving(always(http())) as server:
        headers = {"Content-Type": "multipart/form-data; boundary=x", "X-Own": "1"}
        target = Target(server.url + "/v1/some?x=1", headers)
        report = run_closed(target, [form, b""], 1, 0.1, 0)
    assert report.ok == report.sent == len(server.requests)
    assert {request.line for request in server.requests} == {"POST /v1/some?x=1 HTTP/1.1"}
    assert {request.body for request in server.requests[:2]} == {form, b""}
    assert server.requests[0].headers["content-type"] == "multipart/form-data; boundary=x"
    assert server.requests[0].headers["x-own"] == "1"
    assert server.requests[0].headers["host"] == f"127.0.0.1:{server.port}"


# Closed loop


def test_closed_loop_keeps_its_connections() -> None:
    """So many connections, each used again and again, and all that was sent is answered."""
    with serving(always(http())) as server:
        report = run_closed(target_of(server), BODIES, 3, 0.2, 0)
    assert report.ok == report.sent == len(server.requests) > 3
    assert report.statuses == {"200": report.ok}
    assert report.errors == {}
    assert report.connections == 3
    assert {request.connection for request in server.requests} == {1, 2, 3}
    assert (report.concurrency, report.rate, report.ended_early) == (3, None, False)
    assert report.mean_batch_size == 4.0
    assert report.time_share is not None
    shares = report.time_share
    assert shares["queue"] == pytest.approx(2 * shares["decode"], rel=0.01)
    assert sum(shares.values()) == pytest.approx(1, abs=0.001)
    assert report.client_cpu_s > 0


def test_next_request_waits_for_the_answer() -> None:
    """While nothing is answered there are as many requests as connections."""
    gate = Gate()

    def watch(progress: Progress) -> None:
        if progress.elapsed_s > progress.duration_s:
            reached.append(len(server.requests))
            gate.open()

    reached: list[int] = []
    with serving(gate) as server:
        report = run(Job(target_of(server), BODIES, 4, 0.2, 0), watch)
    assert reached[0] == 4
    assert report.ok == report.sent == 4
    # they came after the window: known to the end, but nothing that was got done in it
    assert report.throughput == 0.0


def test_warm_up_is_sent_but_not_counted() -> None:
    """The server sees more than the report tells of."""
    with serving(always(http())) as server:
        report = run_closed(target_of(server), BODIES, 1, 0.1, 0.1)
    assert 0 < report.ok < len(server.requests)


@pytest.mark.parametrize("status", ["201 Created", "400 Bad Request", "503 Service Unavailable"])
def test_statuses_are_told_apart(status: str) -> None:
    """2xx is good; the latency of all others is told of separately."""
    report = closed(always(http(b'{"detail":"so"}', status)))
    code = status[:3]
    assert report.statuses == {code: report.sent}
    good = code == "201"
    assert report.ok == (report.sent if good else 0)
    assert (report.latency_ms is not None) == good
    assert (report.refused_latency_ms is None) == good
    assert report.refusal == (None if good else f"{code}: so")


CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    b"5\r\n" + GOOD[:5] + b"\r\n%x\r\n" % len(GOOD[5:]) + GOOD[5:] + b"\r\n0\r\n\r\n"
)
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "data", [http(), CHUNKED, EARLY_HINTS + http()], ids=["length", "chunked", "interim"]
)
@pytest.mark.parametrize("piece_bytes", [1, 7, 1 << 20])
def test_answer_is_read_however_it_comes(data: bytes, piece_bytes: int) -> None:
    """In one piece or byte by byte, with its length or in chunks."""
    report = closed(always(data, piece_bytes=piece_bytes))
    assert report.ok == report.sent > 0
    assert report.connections == 2
    assert report.mean_batch_size == 4.0


def test_announced_close_is_no_error() -> None:
    """Each request has its connection then, and each is answered."""
    report = closed(always(http(GOOD, "200 OK", "connection: close"), close=True))
    assert report.ok == report.sent == report.connections > 2
    assert report.errors == {}


def test_answer_without_a_length_ends_with_the_connection() -> None:
    """As HTTP/1.0 servers do it."""
    report = closed(always(b"HTTP/1.0 200 OK\r\n\r\n" + GOOD, close=True))
    assert report.ok == report.sent > 2
    assert report.mean_batch_size == 4.0


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "closed"),
        (http()[:20], "closed"),
        (http()[:-5], "closed"),
        (CHUNKED[:-5], "closed"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "malformed"),
        (http() * 2, "malformed"),
        (b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n", None),
    ],
    ids=["nothing", "half-a-head", "half-a-body", "half-the-chunks", "other", "two", "upgrade"],
)
def test_spoiled_answer_is_counted_and_the_connection_reopened(
    data: bytes, kind: Failure | None
) -> None:
    """It goes on with a new connection each time."""
    report = closed(always(data, close=True))
    assert report.ok == 0
    assert report.sent > 2
    assert report.connections == report.sent
    assert sum(report.errors.values()) == report.sent
    if kind:
        assert set(report.errors) == {kind}


def test_good_and_spoiled_answers_are_counted_side_by_side() -> None:
    """One bad answer does not spoil the next."""
    count = 0

    async def script(_: Request) -> Reply:
        nonlocal count
        count += 1
        return Reply(b"", close=True) if count % 3 == 0 else Reply(http())

    with serving(script) as server:
        report = run_closed(target_of(server), BODIES, 1, 0.2, 0)
    assert report.errors == {"closed": len(server.requests) // 3}
    assert report.ok == len(server.requests) - len(server.requests) // 3


def test_server_that_hangs_is_given_up() -> None:
    """Each request is a timeout, on a connection of its own, and the run comes to an end."""
    gate = Gate()
    report = closed(gate, concurrency=3, timeout_s=0.05)
    assert set(report.errors) == {"timeout"}
    assert report.errors["timeout"] == report.sent >= 3
    assert report.connections == report.sent


def test_answer_that_is_too_late_is_not_taken_for_the_next() -> None:
    """The first request is given up; its answer comes on a connection that nobody has any more."""
    gate = Gate()
    late = True

    async def script(request: Request) -> Reply:
        nonlocal late
        if late:
            late = False
            await gate(request)
            return Reply(http(b"late"))
        gate.open()
        return Reply(http())

    with serving(script) as server:
        report = run_closed(target_of(server), BODIES, 1, 0.3, 0, timeout_s=0.1)
    assert report.errors == {"timeout": 1}
    assert report.ok == report.sent - 1 == len(server.requests) - 1 > 0
    assert report.mean_batch_size == 4.0


def test_nobody_listening_is_counted(free_port: int) -> None:
    """The generator goes on trying, with a breath between."""
    report = run_closed(Target(f"http://127.0.0.1:{free_port}"), BODIES, 2, 0.2, 0)
    assert set(report.errors) == {"refused"}
    assert report.errors["refused"] == report.sent > 2
    assert report.connections == 0
    assert report.why_nothing() == (
        "Nothing was answered: nobody listens there (connection refused)."
    )


def test_name_that_nobody_has_is_unreachable() -> None:
    """RFC 6761 reserves .invalid for this."""
    report = run_closed(Target("http://nobody.invalid:1"), BODIES, 1, 0.05, 0)
    assert set(report.errors) == {"unreachable"}


def test_plain_server_asked_for_tls_is_told_apart() -> None:
    """https to a server that speaks http."""

    def answer_plainly() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(http(b"", "400 Bad Request"))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer_plainly)
        thread.start()
        target = Target(f"https://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(Unanswered, match="the TLS handshake failed"):
            probe(target, b"")
        thread.join()


def test_every_outcome_is_counted_once() -> None:
    """Sent is the sum of statuses and errors, whatever happens."""
    numbers: Iterator[int] = iter(range(10**9))
    replies = [Reply(http()), Reply(http(b"", "503 X")), Reply(b"", close=True), Reply(b"?!\r\n")]

    async def script(_: Request) -> Reply:
        return replies[next(numbers) % len(replies)]

    report = closed(script, concurrency=5)
    counts: Counter[str] = Counter(report.statuses) + Counter(report.errors)
    assert counts.total() == report.sent
    assert set(counts) == {"200", "503", "closed", "malformed"}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(), "refused"),
        (ConnectionResetError(), "reset"),
        (BrokenPipeError(), "reset"),
        (TimeoutError(), "timeout"),
        (socket.gaierror(), "unreachable"),
        (OSError(113, "No route to host"), "unreachable"),
        (OSError(24, "Too many open files"), "local"),
        (OSError(99, "Cannot assign requested address"), "local"),
    ],
    ids=repr,
)
def test_errors_of_the_system_have_names(error: OSError, kind: Failure) -> None:
    """What a user can act on."""
    assert kind_of(error) == kind


# Open loop


def test_open_loop_sends_what_is_due() -> None:
    """Every arrival of the schedule is sent, and on no more connections than needed."""
    with serving(always(http())) as server:
        report = run_open(target_of(server), BODIES, 200, 0.5, 0, concurrency=50, seed=3)
    assert report.sent == report.ok == len(server.requests)
    assert report.sent == len(list(poisson(200, 0, 0.5, seed=3)))
    assert (report.rate, report.concurrency) == (200, 50)
    assert report.connections <= 50


def test_latency_counts_from_when_the_request_was_due() -> None:
    """One connection, and the first answer comes only when all else was due: all waited for it.

    Counted from when they were sent, all but the first would look fast.
    """
    gate = Gate()

    def watch(progress: Progress) -> None:
        if progress.elapsed_s > progress.duration_s:
            gate.open()

    with serving(gate) as server:
        job = Job(target_of(server), BODIES, 1, 0.5, 0, rate=100, seed=5)
        report = run(job, watch)
    due = list(poisson(100, 0, 0.5, seed=5))
    assert report.ok == report.sent == len(due)
    assert report.connections == 1
    assert report.latency_ms is not None
    least_ms = [(0.5 - since) * 1000 for since in due]
    assert report.latency_ms["max"] >= max(least_ms)
    assert report.latency_ms["mean"] >= mean(least_ms)
    assert report.latency_ms["p50"] >= sorted(least_ms)[len(due) // 2 - 1]


def test_request_that_waits_too_long_is_a_timeout_sent_or_not() -> None:
    """Waiting for a connection counts, for it does so for the user."""
    gate = Gate()
    with serving(gate) as server:
        report = run_open(
            target_of(server), BODIES, 100, 0.3, 0, concurrency=2, timeout_s=0.2, seed=1
        )
    assert report.errors == {"timeout": report.sent}
    assert report.sent == len(list(poisson(100, 0, 0.3, seed=1)))


def test_open_loop_goes_on_while_answers_are_missing() -> None:
    """Arrivals do not wait for answers as long as there are connections."""
    gate = Gate()

    def watch(progress: Progress) -> None:
        if progress.elapsed_s > progress.duration_s:
            reached.append(len(server.requests))
            gate.open()

    reached: list[int] = []
    due = len(list(poisson(50, 0, 0.4, seed=2)))
    with serving(gate) as server:
        report = run(Job(target_of(server), BODIES, due, 0.4, 0, rate=50, seed=2), watch)
    # those of the last moment may still be on their way to the server
    assert reached[0] >= due - 3
    assert report.ok == due


@pytest.fixture(params=[TimerFd, LoopTimer])
def kind_of_alarm(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_alarm_rings_at_its_time(kind_of_alarm: Any) -> None:
    """Once, not too early, and at the time that was set last."""

    async def ring() -> list[float]:
        rung: list[float] = []
        called = asyncio.Event()

        def on_ring() -> None:
            rung.append(time.perf_counter())
            called.set()

        alarm: Alarm = kind_of_alarm(asyncio.get_running_loop(), on_ring)
        begin = time.perf_counter()
        alarm.set(begin + 60)
        alarm.set(begin + 0.05)
        await called.wait()
        called.clear()
        alarm.set(begin - 1)  # in the past: at once
        await called.wait()
        alarm.set(time.perf_counter() + 0.02)
        alarm.close()
        await asyncio.sleep(0.05)
        return [when - begin for when in rung]

    first, second = asyncio.run(ring())
    assert 0.049 <= first <= second


# One lane


def test_connection_that_is_closed_while_idle_is_opened_again() -> None:
    """Servers close connections that nothing is asked on; that is nobody's error."""
    with serving(always(http(), close=True)) as server:
        outcomes, opened = asyncio.run(_one_by_one(target_of(server), 3))
    assert outcomes == [200, 200, 200]
    assert opened == 3


def test_unasked_answer_is_not_taken_for_the_next() -> None:
    """A server that says more than it was asked loses its connection, not the next request."""

    with serving(always(http())) as server:
        push = partial(server.push, http(b"", "408 Request Timeout"))
        outcomes, opened = asyncio.run(_one_by_one(target_of(server), 3, push))
    assert outcomes == [200, 200, 200]
    assert opened == 3


async def _one_by_one(
    target: Target, requests: int, then: Callable[[], None] = lambda: None
) -> tuple[list[int | Failure], int]:
    """Send one request after the other, each when the connection of the former is gone."""
    outcomes: list[int | Failure] = []
    free = asyncio.Event()

    class Sink:
        def answered(self, since: float, now: float, status: int, body: bytes) -> None:
            outcomes.append(status)

        def failed(self, since: float, kind: Failure) -> None:
            outcomes.append(kind)

    dialer = Dialer(target)
    lane = Lane(dialer, 30.0, Sink(), lambda _: free.set())
    for _ in range(requests):
        lane.carry(target.request(b""), time.perf_counter())
        await free.wait()
        free.clear()
        then()
        while lane.connected:
            await asyncio.sleep(0.001)
    lane.close()
    return outcomes, dialer.opened


# The end


def test_ctrl_c_ends_early_with_a_report() -> None:
    """What was under way is counted as interrupted, in lanes and in the queue alike."""
    gate = Gate()

    def watch(progress: Progress) -> None:
        if progress.elapsed_s > 0.2:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with serving(gate) as server:
        report = run(Job(target_of(server), BODIES, 2, 600, 0, rate=100, seed=1), watch)
    assert signal.getsignal(signal.SIGINT) is before
    assert report.ended_early
    assert 0 < report.duration_s < 600
    assert report.errors == {"interrupted": report.sent}
    assert report.sent > 2
    assert report.connections == 2


def test_ctrl_c_in_the_warm_up_ends_with_nothing() -> None:
    """There is a report, and it says that nothing was due."""

    def watch(progress: Progress) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with serving(always(http())) as server:
        report = run(Job(target_of(server), BODIES, 2, 600, 600), watch)
    assert (report.sent, report.duration_s, report.throughput) == (0, 0.0, 0.0)
    assert report.why_nothing() == "Nothing was due in the time that was measured."


def test_it_runs_in_any_thread() -> None:
    """Ctrl-C is for the main thread only; all else works."""
    reports: list[Report] = []
    with serving(always(http())) as server:
        thread = threading.Thread(
            target=lambda: reports.append(run_closed(target_of(server), BODIES, 1, 0.1, 0))
        )
        thread.start()
        thread.join()
    assert reports[0].ok > 0


def test_progress_grows() -> None:
    """Time is below zero in the warm-up, and what is counted never shrinks."""
    seen: list[Progress] = []
    with serving(always(http())) as server:
        report = run(Job(target_of(server), BODIES, 1, 0.3, 0.2), seen.append)
    assert seen[0].elapsed_s < 0
    assert seen[0].ok == 0
    assert [step.ok for step in seen] == sorted(step.ok for step in seen)
    assert 0 < seen[-1].ok <= report.ok


# One request


def test_probe_returns_the_answer() -> None:
    """Good or not: it is for the caller to judge."""
    with serving(always(http(b'{"detail":"None here."}', "404 Not Found"))) as server:
        answer = probe(target_of(server), b"x")
    assert str(answer) == "404: None here."
    assert server.requests[0].body == b"x"


def test_probe_says_why_there_is_no_answer(free_port: int) -> None:
    """One sentence that names the address."""
    with pytest.raises(Unanswered) as caught:
        probe(Target(f"http://127.0.0.1:{free_port}/x"), b"")
    assert caught.value.kind == "refused"
    assert str(caught.value) == (
        f"http://127.0.0.1:{free_port}/x does not answer: "
        "nobody listens there (connection refused)."
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "503: Service Unavailable"),
        (b"[]", "503: Service Unavailable"),
        (b'"text"', "503: Service Unavailable"),
        (b'{"detail":"Full."}', "503: Full."),
    ],
)
def test_answer_is_put_in_words(body: bytes, said: str) -> None:
    """The problem's detail, or what the status means."""
    assert str(Answer(503, body)) == said


def test_status_without_a_name_is_put_in_words() -> None:
    """Some servers make up their own."""
    assert str(Answer(599, b"")) == "599: no reason given"


# Something to send


def test_sample_is_always_the_same_picture() -> None:
    """A JPEG as large as a photograph of its size."""
    data = sample_jpeg()
    assert data == sample_jpeg()
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.format, picture.size) == ("JPEG", SIZE_PX)
    assert 30_000 < len(data) < 150_000
