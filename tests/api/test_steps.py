"""Work that goes step by step: others have their turn, and nobody works for nobody."""

import asyncio
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from starlette.requests import ClientDisconnect, Request

from service.api.patience import do, do_in_steps
from service.contract.errors import DeadlineExceeded, ModelNotReady
from service.settings import Settings
from tests.api.client import Client


class Caller:
    """A request whose client leaves after so many looks; None for never."""

    def __init__(self, timeout_ms: float, looks: int | None = None) -> None:
        self._looks = looks
        headers = [(b"x-request-timeout-ms", str(timeout_ms).encode())]
        self.request = Request({"type": "http", "headers": headers}, self._receive)

    async def _receive(self) -> dict[str, str]:
        if self._looks is None:
            await asyncio.Event().wait()
        elif self._looks > 0:
            self._looks -= 1
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}


def endless(steps: list[int]) -> Generator[None, None, None]:
    while True:
        steps.append(len(steps))
        yield


@pytest.fixture
def fresh(repository: Path) -> Generator[Client, None, None]:
    with Client(Settings(models_dir=repository, device="cpu", threads=1)) as client:
        yield client


def test_result_of_the_last_step_is_the_answer(fresh: Client) -> None:
    """However many steps there were; an error comes through as well."""

    def work() -> Generator[None, None, str]:
        yield
        yield
        return "done"

    def failing() -> Generator[None, None, str]:
        yield
        raise ValueError("step two")

    state = fresh.app.state.convscope
    assert fresh.run(do_in_steps(work(), Caller(5000).request, state)) == "done"
    with pytest.raises(ValueError, match="step two"):
        fresh.run(do_in_steps(failing(), Caller(5000).request, state))


def test_time_that_is_over_ends_the_work_between_two_steps(fresh: Client) -> None:
    """The time is for all steps together; after it none is begun."""
    steps: list[int] = []
    with pytest.raises(DeadlineExceeded):
        fresh.run(do_in_steps(endless(steps), Caller(200).request, fresh.app.state.convscope))
    assert steps
    assert not fresh.app.state.convscope.finishing.waiting


def test_client_that_leaves_ends_the_work_between_two_steps(fresh: Client) -> None:
    """Even though each step is over before anybody looks whether the client is there."""
    steps: list[int] = []
    caller = Caller(20_000, looks=3)
    with pytest.raises(ClientDisconnect):
        fresh.run(do_in_steps(endless(steps), caller.request, fresh.app.state.convscope))
    assert len(steps) == 4


def test_other_work_has_its_turn_between_two_steps(fresh: Client) -> None:
    """With a single runner, what is asked for later is done before endless work ends."""
    state, steps = fresh.app.state.convscope, list[int]()

    async def both() -> int:
        forever = asyncio.create_task(do_in_steps(endless(steps), Caller(20_000).request, state))
        while len(steps) < 3:
            await asyncio.sleep(0)
        found: int = await do(lambda: len(steps), Caller(20_000).request, state)
        assert not forever.done()
        forever.cancel()
        return found

    assert fresh.run(both()) >= 3


def test_model_that_is_looked_into_is_closed_afterwards(fresh: Client) -> None:
    """Unloading waits for an explanation that was accepted, whose runs then still succeed."""
    model = fresh.app.state.convscope.catalog.get("colors")

    async def scene() -> bool:
        with model.held():
            closing = asyncio.create_task(model.close())
            await asyncio.wait({closing}, timeout=0.2)
            open_while_held = not closing.done()
            model.classifying().task.run([np.zeros((8, 8, 3), np.uint8)], True)
        await closing
        return open_while_held

    assert fresh.run(scene())
    with pytest.raises(ModelNotReady):
        model.classifying().task.run([np.zeros((8, 8, 3), np.uint8)], True)
