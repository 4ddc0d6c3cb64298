"""Deadlines, full queues and clients that leave, through the whole application."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.batching import Batcher, BatchRules
from service.contract.errors import DeviceFault
from service.runners import Runners
from service.settings import Settings
from service.tasks.catalog import Catalog
from tests.api.client import Client
from tests.pictures import flat
from tests.tiny_models import write_model

PATH = "/v1/models/colors/classify"
HUB = "/hf/colors"


class Gate:
    """A net that waits until it is let through. items: how many it has run."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Event()
        self.items = 0
        self.error: Exception | None = None

    def run(self, inputs: Sequence[Any], alone: bool) -> list[np.ndarray]:
        self.entered.set()
        assert self.open.wait(20)
        if self.error:
            raise self.error
        self.items += len(inputs)
        return [np.array([0.7, 0.2, 0.1])] * len(inputs)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def gated(tmp_path: Path, gate: Gate) -> Iterator[Client]:
    """A client of a server with one runner, room for two, and the gate for a net."""
    write_model(tmp_path)
    runners = Runners(1)
    with Client(Settings(models_dir=tmp_path, device="cpu", request_timeout_ms=10_000)) as client:
        model = client.app.state.convscope.catalog.get("colors")
        queue: Batcher[bytes, Any] = Batcher(
            model.classifying().task.prepare, gate.run, runners, BatchRules(max_queue=2)
        )
        client.serve_instead(
            Catalog([replace(model, answering=model.answering._replace(queue=queue))], [], None)
        )
        yield client
        gate.open.set()
    runners.close()


def keep_busy(gated: Client, gate: Gate) -> None:
    """Have the only runner wait at the gate, for somebody who has given up."""
    gated.post(PATH, content=flat("red"), headers={"x-request-timeout-ms": "300"})
    assert gate.entered.wait(20)


@pytest.mark.parametrize(
    ("path", "media_type"), [(PATH, "application/problem+json"), (HUB, "application/json")]
)
def test_answer_that_comes_too_late_is_504(
    gated: Client, gate: Gate, path: str, media_type: str
) -> None:
    """The client's own limit holds while the net is busy, and the next request is answered."""
    late = gated.post(path, content=flat("red"), headers={"x-request-timeout-ms": "30"})
    assert late.status_code == 504
    assert late.headers["content-type"] == media_type
    gate.open.set()
    assert gated.post(path, content=flat("red")).status_code == 200


def test_server_has_a_limit_of_its_own(gated: Client) -> None:
    """A client may ask for less than the server allows, not for more."""
    state = gated.app.state.convscope
    gated.app.state.convscope = replace(state, request_timeout_ms=30)
    for asked in ({}, {"x-request-timeout-ms": "100000"}):
        assert gated.post(PATH, content=flat("red"), headers=asked).status_code == 504


@pytest.mark.parametrize("asked", ["0", "-1", "soon", "nan", ""])
def test_limit_that_is_no_time_is_refused(gated: Client, asked: str) -> None:
    """Rather than guess what was meant."""
    answer = gated.post(PATH, content=flat("red"), headers={"x-request-timeout-ms": asked})
    assert answer.status_code == 422
    assert "x-request-timeout-ms must be a positive number" in answer.json()["detail"]


@pytest.mark.parametrize("path", [PATH, HUB])
def test_full_queue_is_503_with_a_time_to_come_again(gated: Client, gate: Gate, path: str) -> None:
    """More than fits is refused at once; what was let in is answered."""
    keep_busy(gated, gate)
    requests = [{"content": flat("red")}] * 8
    answers = gated.post_together(path, requests, after=6, then=gate.open.set)
    assert sorted(answer.status_code for answer in answers) == [200] * 2 + [503] * 6
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert int(refused.headers["retry-after"]) >= 1
    assert "queue is full" in refused.text
    assert gate.items == 3


def test_broken_device_is_told_and_latched(gated: Client, gate: Gate) -> None:
    """The request gets 503, and so does readyz until the process is another one."""
    gate.error = DeviceFault("The device failed: CUDA failure 700.")
    gate.open.set()
    assert gated.get("/readyz").status_code == 200
    answer = gated.post(PATH, content=flat("red"))
    assert answer.status_code == 503
    gate.error = None
    ready = gated.get("/readyz")
    assert ready.status_code == 503
    assert "must be restarted" in ready.json()["detail"]


def test_several_files_are_let_in_together_or_not_at_all(gated: Client, gate: Gate) -> None:
    """No request is half answered because the queue was nearly full."""
    gate.open.set()
    answer = gated.post(PATH, files=[("file", ("a.jpg", flat("red")))] * 5)
    assert [result["predictions"][0]["label"] for result in answer.json()["results"]] == ["red"] * 5


def test_client_that_leaves_costs_no_compute(gated: Client, gate: Gate) -> None:
    """What it sent is dropped while it waits, and who came after is answered."""
    busy = gated.app.state.convscope.catalog.get("colors").queue
    keep_busy(gated, gate)
    gated.post_and_leave(PATH, flat("red"))
    assert busy.waiting == 0
    gate.open.set()
    assert gated.post(PATH, content=flat("red")).status_code == 200
    assert gate.items == 2
