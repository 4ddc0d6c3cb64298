"""Runs a job and returns its figures."""

import asyncio
import gc
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from service.load.closed import ClosedLoop
from service.load.dialer import Dialer
from service.load.job import Job
from service.load.open import OpenLoop
from service.load.report import Report, report_of
from service.load.tally import Tally
from service.load.target import Target
from service.load.traffic import Traffic

LOOP_FACTORY: Callable[[], asyncio.AbstractEventLoop] | None
try:
    from uvloop import new_event_loop as LOOP_FACTORY  # noqa: N812
except ImportError:  # there is none for Windows
    LOOP_FACTORY = None

_WATCH_EVERY_S = 0.1


@dataclass(frozen=True)
class Progress:
    """How far a run is. elapsed_s: of the window, below 0 while it warms up.

    ok, refused, failed: of the requests that were due in the window.
    """

    elapsed_s: float
    duration_s: float
    ok: int
    refused: int
    failed: int


Watch = Callable[[Progress], None]


def run_closed(
    target: Target,
    bodies: Sequence[bytes],
    concurrency: int,
    duration_s: float,
    warmup_s: float = 1.0,
    *,
    timeout_s: float = 30.0,
    seed: int = 0,
) -> Report:
    """Return the figures of a closed loop: each connection asks again when it is answered.

    Any HTTP server will do; the shares of time are for those that answer with `timing`.
    Ctrl-C ends it early, with figures of the time until then. Raises: ValueError.
    """
    return run(Job(target, bodies, concurrency, duration_s, warmup_s, timeout_s, seed=seed))


def run_open(
    target: Target,
    bodies: Sequence[bytes],
    rate: float,
    duration_s: float,
    warmup_s: float = 1.0,
    *,
    concurrency: int = 512,
    timeout_s: float = 30.0,
    seed: int = 0,
) -> Report:
    """Return the figures of an open loop: Poisson arrivals, `rate` a second on average.

    concurrency: the most connections. Otherwise as `run_closed`.
    """
    return run(Job(target, bodies, concurrency, duration_s, warmup_s, timeout_s, rate, seed))


def run(job: Job, watch: Watch | None = None) -> Report:
    """Do the job and return its figures.

    watch: is told of the progress, some times a second.
    """
    gc.collect()
    gc.freeze()  # or a collection of all that was ever imported would be seen as latency
    try:
        with asyncio.Runner(loop_factory=LOOP_FACTORY) as runner:
            return runner.run(_run(job, watch))
    finally:
        gc.unfreeze()


async def _run(job: Job, watch: Watch | None) -> Report:
    stop = asyncio.Event()
    dialer = Dialer(job.target)
    begin = time.perf_counter() + job.warmup_s
    tally = Tally(begin, begin + job.duration_s)
    loop: type[Traffic] = ClosedLoop if job.rate is None else OpenLoop
    traffic = loop(job, dialer, tally)
    with _stopped_by_ctrl_c(stop), _watched(tally, job, watch):
        try:
            traffic.start()
            await _until(tally.begin, stop)
            cpu_s = -time.process_time()
            await _until(tally.end, stop)
            cpu_s += time.process_time()
            tally.end = min(tally.end, time.perf_counter())
            traffic.end()
            await _first(traffic.idle, stop)
        finally:
            traffic.cut()
    return report_of(job, tally, dialer.opened, cpu_s, stop.is_set())


async def _until(when: float, stop: asyncio.Event) -> None:
    # The loop's timers count milliseconds and may be early by one.
    while not stop.is_set() and (left_s := when - time.perf_counter()) > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), left_s)


async def _first(idle: asyncio.Future[None], stop: asyncio.Event) -> None:
    stopping = asyncio.ensure_future(stop.wait())
    either: set[asyncio.Future[Any]] = {idle, stopping}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()


@contextmanager
def _stopped_by_ctrl_c(stop: asyncio.Event) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    loop = asyncio.get_running_loop()
    before = signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(stop.set))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _watched(tally: Tally, job: Job, watch: Watch | None) -> Iterator[None]:
    if watch is None:
        yield
        return
    task = asyncio.create_task(_tell(tally, job, watch))
    try:
        yield
    finally:
        task.cancel()


async def _tell(tally: Tally, job: Job, watch: Watch) -> None:
    while True:
        elapsed_s = time.perf_counter() - tally.begin
        ok, refused, failed = len(tally.ok_s), len(tally.refused_s), tally.errors.total()
        watch(Progress(elapsed_s, job.duration_s, ok, refused, failed))
        await asyncio.sleep(_WATCH_EVERY_S)
