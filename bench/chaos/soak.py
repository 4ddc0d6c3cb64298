"""Everything at once, for minutes: what a server must survive and must not slowly die of."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from bench.chaos.benign import Group, benign_groups
from bench.chaos.connection import Lost, connect
from bench.chaos.events import ModelEvents
from bench.chaos.hostile import flood, flood_body, hostile_groups
from bench.chaos.leavers import leave
from bench.chaos.ledger import Ledger
from bench.chaos.letter import Letter, letter
from bench.chaos.loops import closed_loop, open_loop
from bench.chaos.pool import Pool
from bench.chaos.server import Server
from bench.chaos.stall import stall_watched
from bench.chaos.vitals import Vitals, level_of, watch

_CONCURRENCY = 32
_LOAD = 0.8
# Share of the time after which memory is first looked at.
_WARM = 0.2
# Shares of everything that is done.
_HOSTILE, _LEAVERS = 0.10, 0.05
_FLOOD_EVERY_S = 15.0
_EVENT_EVERY_S = 2.0
# Gauges that must be nothing when all is quiet.
_UNDER_WAY = ("convscope_queue_depth", "convscope_in_hand", "convscope_chores")
_REST_S = 20.0


@dataclass(frozen=True)
class Soak:
    """What was seen.

    peak: good requests a second that were answered well when nobody held back.
    began: `time.perf_counter` when the chaos did; seconds: how long it went on.
    leavers: how many clients went away. events, complaints: of ModelEvents.
    samples: of the process, while it was busy.
    early, late: at rest, all models loaded anew and everything asked for once: after the
        first fifth of the time, and at the end.
    left_over: what the server says is still under way at the end, by metric; None if it
        does not say it.
    stall_s: how long the load itself stood still at worst.
    """

    ledger: Ledger
    peak: float
    began: float
    seconds: float
    leavers: int
    events: int
    complaints: Sequence[str]
    samples: Sequence[Vitals]
    early: Vitals
    late: Vitals
    left_over: dict[str, float] | None
    stall_s: float


async def soak(server: Server, seconds: float, calibration_s: float, seed: int = 0) -> Soak:
    """Find out how much of the good mix can be done, then have 0.8 of it, and all the evil.

    calibration_s: seconds that finding out takes, before `seconds` begin.
    """
    traffic = _Traffic(server, seed)
    peak = await traffic.calibrate(calibration_s)
    began = time.perf_counter()
    async with stall_watched() as stall:
        await traffic.chaos(_WARM * seconds, _LOAD * peak)
        early, _ = await traffic.level()
        await traffic.chaos((1 - _WARM) * seconds, _LOAD * peak)
        late, left_over = await traffic.level()
    return Soak(
        traffic.ledger,
        peak,
        began,
        seconds,
        traffic.leavers,
        traffic.events.done,
        traffic.events.complaints,
        traffic.samples,
        early,
        late,
        left_over,
        stall.longest_s,
    )


class _Traffic:
    """What clients do, as chance has it."""

    def __init__(self, server: Server, seed: int) -> None:
        self.ledger = Ledger("soak")
        self.pool = Pool(server.port, self.ledger)
        self.dice = random.Random(seed)
        self.events = ModelEvents(server.models, self.pool, self.dice)
        self.samples: list[Vitals] = []
        self.leavers = 0
        self._pid = server.process.pid
        self._benign = _Bag(benign_groups(), self.dice)
        self._hostile = _Bag(hostile_groups(), self.dice)

    async def calibrate(self, seconds: float) -> float:
        """Return how many good requests a second are answered well when nobody holds back.

        Before that everything is asked for once, so that the server's caches are full.
        """
        await self._everything_once()
        before, started = len(self.ledger.entries), time.perf_counter()
        await closed_loop(_CONCURRENCY, seconds, self._good)
        fresh = self.ledger.entries[before:]
        return sum(entry.ok for entry in fresh) / (time.perf_counter() - started)

    async def chaos(self, seconds: float, rate: float) -> None:
        """Do so much a second for so long, while models come and go."""
        watching = asyncio.create_task(watch(self._pid, self.samples))
        async with asyncio.TaskGroup() as together:
            together.create_task(self.events.run(seconds, _EVENT_EVERY_S))
            together.create_task(self._floods(seconds))
            together.create_task(open_loop(rate, seconds, self._act, self.dice.randrange(2**32)))
        watching.cancel()

    async def level(self) -> tuple[Vitals, dict[str, float] | None]:
        """Return what the process holds at rest, and what it says is still under way.

        Every model is loaded anew before, and everything asked for once: a model holds on to
        memory for the largest batch that it ever had and for the layers that were last asked
        for, so that in traffic its size is chance.
        """
        left_over = await self._rest()
        await self.events.renew()
        await self._everything_once()
        await self._rest()
        return await level_of(self._pid), left_over

    async def _everything_once(self) -> None:
        for one in self._benign.all:
            await self.pool.exchange(one, time.perf_counter())

    async def _act(self, due: float) -> None:
        """Do something: mostly good, sometimes not."""
        chance = self.dice.random()
        if chance < _HOSTILE:
            await self.pool.exchange(self._hostile.draw(), due)
        elif chance < _HOSTILE + _LEAVERS:
            self.leavers += 1
            await leave(self.pool.port, self._benign.draw(), self.leavers, self.dice)
        else:
            await self._good(due)

    async def _floods(self, seconds: float) -> None:
        """Send a body of 300 MB from time to time, as fast as it is taken."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            await self._flood(flood())
            await asyncio.sleep(min(_FLOOD_EVERY_S, max(0.0, end - time.perf_counter())))

    async def _rest(self) -> dict[str, float] | None:
        """Wait until nothing is under way; return what is all the same, after a while."""
        end = time.perf_counter() + _REST_S
        while True:
            self.pool.close()
            await asyncio.sleep(1)
            under_way = await self._under_way()
            if under_way == {} or time.perf_counter() > end:
                self.pool.close()
                await asyncio.sleep(0.5)  # the server closes its end of what we closed
                return under_way

    async def _good(self, due: float) -> None:
        await self.pool.exchange(self._benign.draw(), due)

    async def _flood(self, head: Letter) -> None:
        entry = self.ledger.post(head, time.perf_counter())
        try:
            connection = await connect(self.pool.port)
            reply = await connection.ask_in_pieces(head.request(entry.id), flood_body())
            connection.leave()
        except Lost as error:
            self.ledger.lost(entry, error)
        else:
            self.ledger.answered(entry, reply)

    async def _under_way(self) -> dict[str, float] | None:
        asked = letter("metrics", "/metrics")
        _, reply = await self.pool.exchange(asked, time.perf_counter())
        if reply is None or reply.status != 200:
            return None
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(reply.body.decode()):
            total = sum(sample.value for sample in family.samples)
            if family.name == "convscope_in_flight":
                total -= 1  # this very question
            if family.name in (*_UNDER_WAY, "convscope_in_flight") and total:
                found[family.name] = total
        return found


class _Bag:
    """Letters to draw from: a group by its weight, then any of its letters."""

    def __init__(self, groups: Sequence[Group], dice: random.Random) -> None:
        self._letters = [group.letters for group in groups]
        self._weights = [group.weight for group in groups]
        self._dice = dice

    @property
    def all(self) -> list[Letter]:
        """Every letter once."""
        return [letter for letters in self._letters for letter in letters]

    def draw(self) -> Letter:
        """Return a letter, as chance has it."""
        (letters,) = self._dice.choices(self._letters, self._weights)
        return self._dice.choice(letters)
