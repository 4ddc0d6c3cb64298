"""Items that count for several in the queue of a model, such as the rows of a tensor."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.batching import Batcher, BatchRules
from service.contract.errors import DeadlineExceeded, Overloaded
from service.ticket import Ran
from tests.service.test_batching import PATIENCE_S, Net, entered, run, serving


async def ask_weighing(
    batcher: Batcher[Any, Any], weights: dict[int, int], timeout_s: float | None = None
) -> list[Ran[Any] | Exception]:
    """Ask for items of those weights."""
    return await batcher.enqueue(list(weights), timeout_s, list(weights.values())).outcomes()


def test_batch_is_full_by_weight() -> None:
    """No more is run together than may be, however few items that are."""

    async def test() -> None:
        net = Net(held=True)
        async with serving(net.run, rules=BatchRules(max_batch_size=8)) as batcher:
            first = asyncio.create_task(ask_weighing(batcher, {1: 1}))
            await entered(net)
            rest = asyncio.create_task(ask_weighing(batcher, {2: 5, 3: 3, 4: 1, 5: 8, 6: 2, 7: 2}))
            await asyncio.sleep(0)
            net.go_on.set()
            await first
            answers = await rest
        assert net.batches == [[1], [2, 3], [4], [5], [6, 7]]
        assert [answer.batch_size for answer in answers if isinstance(answer, Ran)] == [
            *(8, 8, 1, 8, 4, 4)
        ]
        assert batcher.batches == {1: 2, 8: 2, 4: 1}

    run(test)


def test_heavy_item_leaves_no_room_for_two_but_is_never_passed_by() -> None:
    """A light item behind a heavy one waits for it: who came first is first."""

    async def test() -> None:
        net = Net(held=True)
        async with serving(net.run, rules=BatchRules(max_batch_size=4)) as batcher:
            first = asyncio.create_task(ask_weighing(batcher, {1: 1}))
            await entered(net)
            rest = asyncio.create_task(ask_weighing(batcher, {2: 2, 3: 4, 4: 2}))
            await asyncio.sleep(0)
            net.go_on.set()
            await asyncio.gather(first, rest)
        assert net.batches == [[1], [2], [3], [4]]

    run(test)


def test_item_takes_one_place_whatever_it_weighs() -> None:
    """What waits is bounded by its number, so that clients with blocks are let in as others are."""

    async def test() -> None:
        net = Net(held=True)
        async with serving(net.run, rules=BatchRules(max_queue=3)) as batcher:
            first = asyncio.create_task(ask_weighing(batcher, {0: 32}))
            await entered(net)
            second = asyncio.create_task(ask_weighing(batcher, {1: 7, 2: 32}))
            await asyncio.sleep(0)
            assert (batcher.waiting, batcher.in_hand) == (2, 1)
            with pytest.raises(Overloaded, match="2 items wait"):
                batcher.enqueue([3, 4], weights=[1, 1])
            third = asyncio.create_task(ask_weighing(batcher, {5: 30}))
            await asyncio.sleep(0)
            net.go_on.set()
            await asyncio.gather(first, second, third)
            assert (batcher.waiting, batcher.in_hand) == (0, 0)

    run(test)


def test_company_is_awaited_until_the_weight_is_there() -> None:
    """With a delay, a batch that is full by weight leaves at once."""

    async def test() -> None:
        net = Net()
        rules = BatchRules(max_batch_size=8, max_queue_delay_ms=PATIENCE_S * 1000)
        async with serving(net.run, rules=rules) as batcher:
            first = asyncio.create_task(ask_weighing(batcher, {1: 4}))
            await asyncio.sleep(0.05)
            assert net.batches == []
            await ask_weighing(batcher, {2: 4})
            await first
        assert net.batches == [[1, 2]]

    run(test)


def test_heavy_batch_that_fails_is_run_again_item_by_item() -> None:
    """The guilty block fails as a whole, its mates are answered, each with its own weight."""

    async def test() -> None:
        net = Net(guilty=3)
        async with serving(net.run) as batcher:
            one, two, three = await ask_weighing(batcher, {1: 4, 3: 5, 2: 6})
        assert isinstance(one, Ran)
        assert (one.output, one.batch_size) == (2, 4)
        assert isinstance(two, ValueError)
        assert isinstance(three, Ran)
        assert (three.output, three.batch_size) == (4, 6)

    run(test)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    runners=st.integers(1, 4),
    max_batch_size=st.integers(1, 8),
    max_queue=st.integers(1, 40),
    max_runs=st.integers(1, 4),
    delay_ms=st.sampled_from([0, 0, 1]),
)
def test_weights_are_kept_whatever_fails_expires_or_leaves(
    seed: int, runners: int, max_batch_size: int, max_queue: int, max_runs: int, delay_ms: float
) -> None:
    """No batch is too heavy, nothing is run twice, and what was counted in is counted out."""

    async def test() -> None:
        dice = random.Random(seed)
        weight_of: dict[int, int] = {}
        runs: list[list[int]] = []

        def prepare(raw: int) -> tuple[int, int]:
            if raw % 11 == 0:
                raise ValueError(raw)
            return raw % 2, raw

        def run_some(inputs: list[int], alone: bool) -> list[int]:
            runs.append(list(inputs))
            if any(item % 7 == 0 for item in inputs):
                raise KeyError("bad batch")
            return [item * 2 for item in inputs]

        async def one(weights: dict[int, int], timeout_s: float | None) -> list[Any]:
            await asyncio.sleep(dice.random() * 0.005)
            fits = len(weights) <= max_queue
            places = len(weights) if fits else max(1, max_queue // 2)
            if places + batcher.waiting > max_queue and batcher.waiting:
                with pytest.raises(Overloaded):
                    batcher.enqueue(list(weights), timeout_s, list(weights.values()))
                raise Overloaded("as it should be")
            return await ask_weighing(batcher, weights, timeout_s)

        rules = BatchRules(max_batch_size, max_queue, delay_ms, max_runs)
        async with serving(run_some, runners, prepare, rules) as batcher:
            tasks = []
            for first in range(1, 160, 4):
                weights = {
                    item: dice.randint(1, max_batch_size)
                    for item in range(first, first + dice.choice([1, 1, 2, 4]))
                }
                weight_of |= weights
                timeout_s = dice.choice([None, None, 0.0005, 0.002])
                tasks.append((weights, asyncio.create_task(one(weights, timeout_s))))
            for _, task in dice.sample(tasks, 10):
                asyncio.get_running_loop().call_later(dice.random() * 0.01, task.cancel)
            _, pending = await asyncio.wait([task for _, task in tasks], timeout=PATIENCE_S)
            assert not pending
            for weights, task in tasks:
                check(weights, task)
            while batcher.waiting or batcher.in_hand:  # what was abandoned in a runner's hands
                await asyncio.sleep(0.001)
        assert (batcher.waiting, batcher.in_hand) == (0, 0)
        heaviest = max((sum(weight_of[item] for item in batch) for batch in runs), default=0)
        assert heaviest <= max_batch_size
        good = Counter(
            item for batch in runs for item in batch if not any(i % 7 == 0 for i in batch)
        )
        assert max(good.values(), default=0) <= 1
        assert sum(size * count for size, count in batcher.batches.items()) <= sum(
            weight_of.values()
        )

    def check(weights: dict[int, int], task: "asyncio.Task[list[Any]]") -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            assert isinstance(error, Overloaded | DeadlineExceeded)
            return
        for (item, weight), answer in zip(weights.items(), task.result(), strict=True):
            if item % 11 == 0:
                assert isinstance(answer, ValueError)
            elif item % 7 == 0:
                assert isinstance(answer, KeyError)
            else:
                assert answer.output == item * 2
                assert weight <= answer.batch_size <= max_batch_size

    run(test)
