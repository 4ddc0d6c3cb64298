"""How much the server can do, and what becomes of it when it is asked for twice as much."""

import asyncio
import gc
import random
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.chaos.benign import classify
from bench.chaos.ledger import Entry, Ledger, told
from bench.chaos.loops import Act, closed_loop, open_loop
from bench.chaos.pictures import pictures
from bench.chaos.pool import Pool
from bench.chaos.server import Server
from bench.chaos.stall import stall_watched
from bench.chaos.verdict import Check
from service.load.report import latency_ms
from service.load.run import LOOP_FACTORY

_MODEL = "cifar10"
_CONCURRENCY = 32
_STEADY, _TWICE = 0.8, 2.0
_MOST_TIMES_SLOWER = 3.0
_LEAST_GOODPUT = 0.95
# At the beginning of each phase, not measured: connections, caches and queues fill.
_WARMUP_S = 1.0


@dataclass(frozen=True)
class Stretch:
    """One phase.

    ledger: all that was sent. measured: what was due after the warm-up.
    goodput: ok answers that came after it, a second. sent: requests that were due, a second.
    client_cores: processors that making the load took. stall_s: how long it stood still at worst.
    """

    ledger: Ledger
    measured: Sequence[Entry]
    goodput: float
    sent: float
    client_cores: float
    stall_s: float

    @property
    def p99_ms(self) -> float:
        """Of the answers that were ok, from when their requests were due."""
        found = latency_ms([entry.latency_s for entry in self.measured if entry.ok])
        return found["p99"] if found else float("inf")


def measure_overload(server: Server, seconds: float) -> list[Check]:
    """Find the peak, then load the server to 0.8 of it and to twice as much.

    seconds: of each of the three phases.
    """
    with asyncio.Runner(loop_factory=LOOP_FACTORY) as runner, _no_collections():
        peak = runner.run(_closed(server, seconds))
        steady = runner.run(_open(server, "steady", _STEADY * peak.goodput, seconds))
        twice = runner.run(_open(server, "twice", _TWICE * peak.goodput, seconds))
    return [*_of_peak(peak), *_of_steady(steady), *_of_twice(peak, steady, twice)]


async def _closed(server: Server, seconds: float) -> Stretch:
    ledger = Ledger("peak")
    act = _asking(Pool(server.port, ledger))
    return await _measured(ledger, closed_loop(_CONCURRENCY, _WARMUP_S + seconds, act), seconds)


async def _open(server: Server, phase: str, rate: float, seconds: float) -> Stretch:
    ledger = Ledger(phase)
    act = _asking(Pool(server.port, ledger))
    return await _measured(ledger, open_loop(rate, _WARMUP_S + seconds, act), seconds)


def _asking(pool: Pool) -> Act:
    dice = random.Random(0)
    letters = [classify(_MODEL, picture) for picture in pictures()[_MODEL]]
    return lambda due: pool.exchange(dice.choice(letters), due)


async def _measured(ledger: Ledger, loop: Coroutine[Any, Any, None], seconds: float) -> Stretch:
    """Run the loop and cut its warm-up off."""
    started, cpu_s = time.perf_counter(), time.process_time()
    async with stall_watched() as stall:
        await loop
    cores = (time.process_time() - cpu_s) / (time.perf_counter() - started)
    begin = started + _WARMUP_S
    measured = ledger.where(lambda entry: entry.due >= begin)
    came = ledger.where(lambda entry: entry.ok and begin <= entry.done < begin + seconds)
    return Stretch(
        ledger,
        measured,
        len(came) / seconds,
        len(measured) / seconds,
        cores,
        stall.longest_s,
    )


@contextmanager
def _no_collections() -> Iterator[None]:
    gc.collect()
    gc.disable()  # or a collection of all that the ledgers hold would be seen as latency
    try:
        yield
    finally:
        gc.enable()


def _of_peak(peak: Stretch) -> list[Check]:
    phase = f"1 capacity, {_CONCURRENCY} at once"
    bad = peak.ledger.where(lambda entry: not entry.ok)
    return [
        Check(phase, "goodput", f"{peak.goodput:.0f}/s"),
        Check(phase, "p99", f"{peak.p99_ms:.1f} ms"),
        Check(phase, "not answered 200", told(bad), "none", not bad),
    ]


def _of_steady(steady: Stretch) -> list[Check]:
    phase = f"2 steady, {_STEADY:g} of the peak"
    bad = steady.ledger.where(lambda entry: not entry.ok)
    return [
        Check(phase, "goodput", f"{steady.goodput:.0f}/s of {steady.sent:.0f}/s"),
        Check(phase, "p99", f"{steady.p99_ms:.1f} ms"),
        Check(phase, "not answered 200", told(bad)),
        _of_load(phase, steady),
    ]


def _of_load(phase: str, stretch: Stretch) -> Check:
    told = f"{stretch.client_cores:.2f} processors, stood still for {stretch.stall_s * 1000:.0f} ms"
    return Check(phase, "the load itself", told)


def _of_twice(peak: Stretch, steady: Stretch, twice: Stretch) -> list[Check]:
    phase = f"3 overload, {_TWICE:g} x the peak"
    slower, share = twice.p99_ms / steady.p99_ms, twice.goodput / peak.goodput
    refused = twice.ledger.where(lambda entry: entry.status == 503 and entry.retry_after)
    bad = twice.ledger.where(
        lambda entry: (
            not (entry.ok or entry.status == 504)
            and not (entry.status == 503 and entry.retry_after)
        )
    )
    not_once = twice.ledger.not_answered_once()
    odd = len(twice.ledger.strangers) + twice.ledger.unasked
    refused_ms = latency_ms([entry.latency_s for entry in refused])
    return [
        Check(
            phase,
            "p99 of what was accepted",
            f"{twice.p99_ms:.1f} ms, {slower:.2f} x steady",
            f"<= {_MOST_TIMES_SLOWER:g} x",
            slower <= _MOST_TIMES_SLOWER,
        ),
        Check(
            phase,
            "goodput",
            f"{twice.goodput:.0f}/s, {share:.1%} of the peak",
            f">= {_LEAST_GOODPUT:.0%}",
            share >= _LEAST_GOODPUT,
        ),
        Check(phase, "503 with Retry-After", f"{len(refused):,} of {len(twice.ledger.entries):,}"),
        Check(phase, "p99 of these", f"{refused_ms['p99'] if refused_ms else 0:.1f} ms"),
        Check(phase, "neither 200, 504 nor such a 503", told(bad), "none", not bad),
        Check(phase, "not answered exactly once", told(not_once), "none", not not_once),
        Check(phase, "answers that nobody asked for", str(odd), "0", not odd),
        _of_load(phase, twice),
    ]
