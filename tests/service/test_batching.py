"""The queue of a model, with real threads; what must be simultaneous waits on events."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.batching import Batcher, BatchRules
from service.contract.errors import DeadlineExceeded, DeviceFault, ModelNotReady, Overloaded
from service.runners import Runners
from service.ticket import Ran

PATIENCE_S = 20


def as_is(raw: Any) -> tuple[None, Any]:
    return None, raw


class Net:
    """Doubles numbers, a batch at a time, and may be held up.

    batches: what was run together. guilty: an item that makes its batch fail.
    """

    def __init__(self, guilty: object = None, held: bool = False) -> None:
        self.batches: list[list[Any]] = []
        self.guilty = guilty
        self.entered = threading.Event()
        self.go_on = threading.Event()
        if not held:
            self.go_on.set()

    def run(self, inputs: Sequence[Any], alone: bool) -> list[Any]:
        self.entered.set()
        assert self.go_on.wait(PATIENCE_S)
        self.batches.append(list(inputs))
        if self.guilty in inputs:
            raise ValueError(f"{self.guilty} is guilty")
        return [item * 2 for item in inputs]


@asynccontextmanager
async def serving(
    run: Callable[..., Any],
    count: int = 1,
    prepare: Callable[[Any], Any] = as_is,
    rules: BatchRules | None = None,
) -> AsyncIterator[Batcher[Any, Any]]:
    runners = Runners(count)
    batcher: Batcher[Any, Any] = Batcher(prepare, run, runners, rules or BatchRules())
    yield batcher
    await asyncio.wait_for(batcher.close(), PATIENCE_S)
    await asyncio.to_thread(runners.close)


async def ask(batcher: Batcher[Any, Any], *items: Any, timeout_s: float | None = None) -> list[Any]:
    """Return outputs, or errors in their place."""
    answers = await batcher.enqueue(items, timeout_s).outcomes()
    return [answer.output if isinstance(answer, Ran) else answer for answer in answers]


async def entered(net: Net) -> None:
    assert await asyncio.to_thread(net.entered.wait, PATIENCE_S)


def run(test: Callable[[], Any]) -> None:
    asyncio.run(asyncio.wait_for(test(), PATIENCE_S))


def test_single_request_is_answered_with_its_own_output() -> None:
    """One item in, its output out, run in a batch of one."""

    async def test() -> None:
        net = Net()
        async with serving(net.run) as batcher:
            (answer,) = await batcher.enqueue([21]).outcomes()
        assert isinstance(answer, Ran)
        assert (answer.output, answer.batch_size) == (42, 1)
        assert min(answer.waited, answer.prepared, answer.ran) >= 0

    run(test)


def test_what_gathered_while_the_runner_was_busy_is_run_together() -> None:
    """A batch is whatever waits when a runner is free: nobody waits for company."""

    async def test() -> None:
        net = Net(held=True)
        async with serving(net.run) as batcher:
            first = asyncio.create_task(ask(batcher, 1))
            await entered(net)
            others = [asyncio.create_task(ask(batcher, item)) for item in range(2, 8)]
            await asyncio.sleep(0)
            net.go_on.set()
            assert await first == [2]
            assert [await other for other in others] == [[item * 2] for item in range(2, 8)]
        assert net.batches == [[1], [2, 3, 4, 5, 6, 7]]

    run(test)


def test_batch_has_no_more_items_than_allowed() -> None:
    """max_batch_size counts items, not requests."""

    async def test() -> None:
        net = Net()
        async with serving(net.run, rules=BatchRules(max_batch_size=3)) as batcher:
            assert await ask(batcher, *range(8)) == [item * 2 for item in range(8)]
        assert max(map(len, net.batches)) == 3

    run(test)


def test_one_batch_does_not_take_what_would_keep_the_other_runner_busy() -> None:
    """With two runners, eight waiting items are shared, however large a batch may be."""

    async def test() -> None:
        net = Net()
        both = threading.Barrier(2, timeout=PATIENCE_S)

        def run_when_both_are_there(inputs: Sequence[Any], alone: bool) -> list[Any]:
            both.wait()
            return net.run(inputs, alone)

        async with serving(run_when_both_are_there, count=2) as batcher:
            await ask(batcher, *range(8))
        assert sorted(map(len, net.batches)) == [4, 4]

    run(test)


def test_inputs_of_different_shapes_never_share_a_batch() -> None:
    """Only items of one key are run together, and every key has its turn."""

    async def test() -> None:
        net = Net()
        async with serving(net.run, prepare=lambda raw: (raw % 3, raw)) as batcher:
            assert await ask(batcher, *range(30)) == [item * 2 for item in range(30)]
        assert all(len({item % 3 for item in batch}) == 1 for batch in net.batches)
        assert len(net.batches) < 30

    run(test)


def test_guilty_item_fails_alone() -> None:
    """A failing batch is run again one by one: its mates are answered."""

    async def test() -> None:
        net = Net(guilty=3)
        async with serving(net.run) as batcher:
            answers = await ask(batcher, 1, 2, 3, 4)
        assert [answers[0], answers[1], answers[3]] == [2, 4, 8]
        assert isinstance(answers[2], ValueError)

    run(test)


def test_item_that_cannot_be_prepared_fails_alone() -> None:
    """What preparing raises is that item's answer, and it costs no run."""

    async def test() -> None:
        net = Net()

        def prepare(raw: int) -> tuple[None, int]:
            if raw == 2:
                raise ValueError("no picture")
            return None, raw

        async with serving(net.run, prepare=prepare) as batcher:
            one, two, three = await ask(batcher, 1, 2, 3)
        assert (one, three) == (2, 6)
        assert str(two) == "no picture"
        assert sorted(item for batch in net.batches for item in batch) == [1, 3]

    run(test)


def test_broken_device_is_not_tried_again() -> None:
    """After DeviceFault everyone in the batch has it, without a second run."""

    async def test() -> None:
        calls = []

        def fault(inputs: Sequence[Any], alone: bool) -> list[Any]:
            calls.append(list(inputs))
            raise DeviceFault("gone")

        async with serving(fault) as batcher:
            answers = await ask(batcher, 1, 2, 3)
        assert all(isinstance(answer, DeviceFault) for answer in answers)
        assert calls == [[1, 2, 3]]

    run(test)


def test_wrong_number_of_outputs_is_an_error_and_no_mixture() -> None:
    """Outputs are never handed to the wrong item."""

    async def test() -> None:
        async with serving(lambda inputs, alone: [1]) as batcher:
            answers = await ask(batcher, 1, 2)
        assert answers == [1, 1]  # one by one each has its own
        async with serving(lambda inputs, alone: []) as batcher:
            (answer,) = await ask(batcher, 1)
        assert isinstance(answer, RuntimeError)

    run(test)


def test_full_queue_refuses_at_once_and_says_when_to_come_again() -> None:
    """What waits is bounded in items; a request is let in whole or not at all."""

    async def test() -> None:
        net = Net(held=True)
        async with serving(net.run, rules=BatchRules(max_queue=4)) as batcher:
            first = asyncio.create_task(ask(batcher, 0))
            await entered(net)
            waiting = asyncio.create_task(ask(batcher, 1, 2, 3))
            await asyncio.sleep(0)
            with pytest.raises(Overloaded) as refused:
                batcher.enqueue([4, 5])
            assert refused.value.retry_after_s >= 1
            last = asyncio.create_task(ask(batcher, 4))
            await asyncio.sleep(0)
            with pytest.raises(Overloaded):
                batcher.check_room()
            assert batcher.waiting == 4
            net.go_on.set()
            assert await first + await waiting + await last == [0, 2, 4, 6, 8]
            assert batcher.waiting == batcher.in_hand == 0

    run(test)


def test_request_larger_than_the_queue_is_let_in_when_nothing_waits() -> None:
    """A bulk request is not refused for ever."""

    async def test() -> None:
        for most in (1, 2, 3):
            async with serving(Net().run, rules=BatchRules(max_queue=most)) as batcher:
                assert await ask(batcher, *range(5)) == [0, 2, 4, 6, 8]

    run(test)


def test_request_larger_than_the_queue_leaves_room_for_others() -> None:
    """Half of the places are left to them, and what it has beyond the rest comes after them."""

    async def test() -> None:
        net = Net(held=True)
        rules = BatchRules(max_batch_size=1, max_queue=4)
        async with serving(net.run, rules=rules) as batcher:
            first = asyncio.create_task(ask(batcher, 0))
            await entered(net)
            large = asyncio.create_task(ask(batcher, *range(1, 10)))
            await asyncio.sleep(0)
            assert batcher.waiting == 2
            other = asyncio.create_task(ask(batcher, 20, 30))
            await asyncio.sleep(0)
            assert batcher.waiting == 4
            net.go_on.set()
            await first
            assert await other == [40, 60]
            assert await large == list(range(2, 20, 2))
        assert net.batches.index([30]) < net.batches.index([3])

    run(test)


def test_large_request_that_is_given_up_does_not_come_into_the_queue_any_more() -> None:
    """Neither what has a place nor what would get one."""

    async def test() -> None:
        net = Net(held=True)
        async with serving(net.run, rules=BatchRules(max_queue=2)) as batcher:
            first = asyncio.create_task(ask(batcher, 0))
            await entered(net)
            ticket = batcher.enqueue(range(1, 9), timeout_s=0.01)
            with pytest.raises(DeadlineExceeded):
                await ticket.outcomes()
            assert batcher.waiting == len(ticket.rest) == 0
            net.go_on.set()
            await first
            assert await ask(batcher, 9) == [18]
        assert net.batches == [[0], [9]]

    run(test)


def test_waiting_request_is_answered_when_its_time_is_over() -> None:
    """The deadline is kept while the runner is busy, and the item costs no compute."""

    async def test() -> None:
        net = Net(held=True)
        async with serving(net.run) as batcher:
            first = asyncio.create_task(ask(batcher, 1))
            await entered(net)
            with pytest.raises(DeadlineExceeded):
                await ask(batcher, 2, timeout_s=0.01)
            assert batcher.waiting == 0
            net.go_on.set()
            assert await first == [2]
        assert net.batches == [[1]]

    run(test)


def test_request_that_cannot_be_done_in_time_costs_nothing() -> None:
    """If even the fastest run there was would be too late, it is dropped before it begins."""

    async def test() -> None:
        net = Net(held=True)
        async with serving(net.run) as batcher:
            first = asyncio.create_task(ask(batcher, 1))
            await entered(net)
            await asyncio.sleep(0.2)  # so long does the fastest run take
            net.go_on.set()
            assert await first == [2]
            with pytest.raises(DeadlineExceeded):
                await ask(batcher, 2, timeout_s=0.1)
        assert net.batches == [[1]]

    run(test)


def test_cancelled_request_leaves_batch_mates_unharmed() -> None:
    """Who stops waiting is dropped; the others of the same batch get their answers."""

    async def test() -> None:
        net = Net(held=True)
        async with serving(net.run) as batcher:
            first = asyncio.create_task(ask(batcher, 1))
            await entered(net)
            others = [asyncio.create_task(ask(batcher, item)) for item in (2, 3, 4)]
            await asyncio.sleep(0)
            others[1].cancel()
            await asyncio.sleep(0)
            net.go_on.set()
            assert await first == [2]
            assert (await others[0], await others[2]) == ([4], [8])
        assert net.batches == [[1], [2, 4]]

    run(test)


def test_request_cancelled_while_it_runs_leaves_batch_mates_unharmed() -> None:
    """Cancelling in the middle of a run only throws that one answer away."""

    async def test() -> None:
        net = Net(held=True)
        async with serving(net.run, rules=BatchRules(max_queue_delay_ms=5000)) as batcher:
            tasks = [asyncio.create_task(ask(batcher, item)) for item in range(32)]
            await entered(net)
            for task in tasks[::2]:
                task.cancel()
            net.go_on.set()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[::2])
        assert answers[1::2] == [[item * 2] for item in range(1, 32, 2)]

    run(test)


def test_company_is_awaited_only_if_asked_for() -> None:
    """With a delay, items that come apart are run together; a full batch leaves at once."""

    async def test() -> None:
        net = Net()
        rules = BatchRules(max_batch_size=2, max_queue_delay_ms=PATIENCE_S * 1000)
        async with serving(net.run, rules=rules) as batcher:
            first = asyncio.create_task(ask(batcher, 1))
            await asyncio.sleep(0.05)
            assert net.batches == []
            assert await ask(batcher, 2) == [4]
            assert await first == [2]
        assert net.batches == [[1, 2]]

    run(test)


def test_item_that_finds_no_company_is_run_when_the_delay_is_over() -> None:
    """Nobody waits for ever."""

    async def test() -> None:
        async with serving(Net().run, rules=BatchRules(max_queue_delay_ms=10)) as batcher:
            assert await ask(batcher, 1) == [2]

    run(test)


def test_runner_is_told_whether_it_is_alone() -> None:
    """A single request may use the whole machine; two at once share it."""

    async def test() -> None:
        told: list[bool] = []
        net = Net(held=True)

        def note(inputs: Sequence[Any], alone: bool) -> list[Any]:
            told.append(alone)
            return net.run(inputs, alone)

        async with serving(note, count=2) as batcher:
            first = asyncio.create_task(ask(batcher, 1))
            await entered(net)
            net.entered.clear()
            second = asyncio.create_task(ask(batcher, 2))
            await entered(net)
            net.go_on.set()
            await asyncio.gather(first, second)
        assert told == [True, False]

    run(test)


def test_fewer_runs_than_runners_leave_the_others_to_prepare() -> None:
    """As on a GPU: one batch runs, and what comes next is prepared meanwhile."""

    async def test() -> None:
        net, prepared = Net(held=True), threading.Semaphore(0)

        def prepare(raw: int) -> tuple[None, int]:
            prepared.release()
            return None, raw

        rules = BatchRules(max_runs=1)
        async with serving(net.run, count=3, prepare=prepare, rules=rules) as batcher:
            first = asyncio.create_task(ask(batcher, 0))
            await entered(net)
            rest = asyncio.create_task(ask(batcher, *range(1, 9)))
            for _ in range(9):
                assert await asyncio.to_thread(prepared.acquire, timeout=PATIENCE_S)
            net.go_on.set()
            assert await first + await rest == [item * 2 for item in range(9)]
        assert [len(batch) for batch in net.batches] == [1, 8]

    run(test)


def test_models_take_turns() -> None:
    """A model with much to do does not starve another."""

    async def test() -> None:
        order: list[str] = []

        def named(name: str) -> Callable[[Sequence[Any], bool], list[Any]]:
            def run(inputs: Sequence[Any], alone: bool) -> list[Any]:
                order.append(name)
                return list(inputs)

            return run

        runners, gate = Runners(1), Net(held=True)
        rules = BatchRules(max_batch_size=1)
        busy, rare, hold = (
            Batcher(as_is, run, runners, rules) for run in (named("busy"), named("rare"), gate.run)
        )
        holding = asyncio.create_task(ask(hold, 0))
        await entered(gate)
        waiting = asyncio.create_task(ask(busy, *range(20)))
        await asyncio.sleep(0)
        little = asyncio.create_task(ask(rare, 1))
        await asyncio.sleep(0)
        gate.go_on.set()
        await asyncio.gather(holding, waiting, little)
        await asyncio.to_thread(runners.close)
        assert order.index("rare") < 3

    run(test)


def test_closing_answers_what_was_let_in_and_nothing_more() -> None:
    """A model that goes finishes its work first."""

    async def test() -> None:
        net = Net(held=True)
        async with serving(net.run) as batcher:
            accepted = [asyncio.create_task(ask(batcher, item)) for item in range(5)]
            await entered(net)
            closing = asyncio.create_task(batcher.close())
            await asyncio.sleep(0)
            with pytest.raises(ModelNotReady):
                batcher.enqueue([9])
            assert not closing.done()
            net.go_on.set()
            await closing
            assert [await task for task in accepted] == [[item * 2] for item in range(5)]

    run(test)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    runners=st.integers(1, 4),
    max_batch_size=st.integers(1, 8),
    max_runs=st.integers(1, 4),
    delay_ms=st.sampled_from([0, 0, 1]),
)
def test_every_accepted_request_gets_exactly_one_answer(
    seed: int, runners: int, max_batch_size: int, max_runs: int, delay_ms: float
) -> None:
    """Whatever fails, expires or is cancelled: the right output, its own error, or nothing lost."""

    async def test() -> None:
        dice = random.Random(seed)
        ran: list[int] = []

        def prepare(raw: int) -> tuple[int, int]:
            if raw % 11 == 0:
                raise ValueError(raw)
            return raw % 2, raw

        def run_some(inputs: Sequence[int], alone: bool) -> list[int]:
            if any(item % 7 == 0 for item in inputs):
                raise KeyError("bad batch")
            ran.extend(inputs)
            return [item * 2 for item in inputs]

        async def one(items: list[int], timeout_s: float | None) -> list[Any]:
            await asyncio.sleep(dice.random() * 0.005)
            return await ask(batcher, *items, timeout_s=timeout_s)

        rules = BatchRules(max_batch_size, 20, delay_ms, max_runs)
        async with serving(run_some, runners, prepare, rules) as batcher:
            tasks, numbers = [], iter(range(1, 1000))
            for _ in range(40):
                items = [next(numbers) for _ in range(dice.choice([1, 1, 1, 2, 5]))]
                timeout_s = dice.choice([None, None, 0.0005, 0.002])
                tasks.append((items, asyncio.create_task(one(items, timeout_s))))
            for _, task in dice.sample(tasks, 10):
                asyncio.get_running_loop().call_later(dice.random() * 0.01, task.cancel)
            done, pending = await asyncio.wait([task for _, task in tasks], timeout=PATIENCE_S)
            assert not pending
            assert len(done) == len(tasks)
            for items, task in tasks:
                check(items, task)
            assert (batcher.waiting, batcher.in_hand) == (0, 0) or await settled(batcher)
        assert len(ran) == len(set(ran))

    def check(items: list[int], task: "asyncio.Task[list[Any]]") -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            assert isinstance(error, Overloaded | DeadlineExceeded)
            return
        for item, answer in zip(items, task.result(), strict=True):
            if item % 11 == 0:
                assert isinstance(answer, ValueError)
            elif item % 7 == 0:
                assert isinstance(answer, KeyError)
            else:
                assert answer == item * 2

    async def settled(batcher: Batcher[Any, Any]) -> bool:
        """Abandoned items may still be in a runner's hands for a moment."""
        while batcher.waiting or batcher.in_hand:
            await asyncio.sleep(0.001)
        return True

    run(test)
