"""Inference waits, is given up, refused and let in like everything else that is asked."""

import json
import logging
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.batching import Batcher, BatchRules
from service.contract.errors import DeviceFault
from service.runners import Runners
from service.settings import Settings
from service.tasks import listen
from service.tasks.catalog import Catalog
from tests.api.client import Client
from tests.api.oip.asking import infer, outputs_of, sent_as_bytes, sent_as_files
from tests.api.test_metrics import value
from tests.api.test_patience import Gate
from tests.pictures import flat
from tests.sounds import stored, tone
from tests.tiny_models import write_listener, write_model

PATH = "/v2/models/colors/infer"
PICTURES = np.zeros((3, 8, 8, 3), np.uint8)
KEY = "ordinary-key-0001"


class TensorGate(Gate):
    """A net for tensors that waits until it is let through. items: rows that it has run."""

    def run(self, inputs: Any, alone: bool) -> list[Any]:
        super().run(inputs, alone)
        self.items += sum(len(block.rows) for block in inputs) - len(inputs)
        return [[np.zeros((len(block.rows), 3), np.float32)] for block in inputs]


@pytest.fixture
def gate() -> TensorGate:
    return TensorGate()


@pytest.fixture
def gated(tmp_path: Path, gate: TensorGate) -> Iterator[Client]:
    """A client of a server with one runner, room for two tensors, and the gate for a net."""
    write_model(tmp_path)
    runners = Runners(1)
    with Client(Settings(models_dir=tmp_path, device="cpu", request_timeout_ms=10_000)) as client:
        model = client.app.state.convscope.catalog.get("colors")
        rules = BatchRules(max_queue=2)
        queue: Batcher[Any, Any] = Batcher(model.tensors.prepare, gate.run, runners, rules)
        client.serve_instead(
            Catalog([replace(model, answering=model.answering._replace(queue=queue))], [], None)
        )
        yield client
        gate.open.set()
    runners.close()


def keep_busy(gated: Client, gate: Gate) -> None:
    """Have the only runner wait at the gate, for somebody who has given up."""
    gated.post(PATH, **sent_as_bytes("images", PICTURES, parameters={"timeout": 300_000}))
    assert gate.entered.wait(20)


@pytest.mark.parametrize(
    ("timeout_us", "header_ms"), [(30_000, None), (30_000, "9000"), (9_000_000, "30"), (0, "30")]
)
def test_answer_that_comes_too_late_is_504(
    gated: Client, timeout_us: int, header_ms: str | None
) -> None:
    """Microseconds in the request or milliseconds in the header: the shorter time holds."""
    how = sent_as_bytes("images", PICTURES, parameters={"timeout": timeout_us})
    if header_ms:
        how["headers"]["x-request-timeout-ms"] = header_ms
    answer = gated.post(PATH, **how)
    assert answer.status_code == 504
    assert "could not be ready within the time" in answer.json()["error"]


def test_tensors_fill_the_queue(gated: Client, gate: TensorGate) -> None:
    """Each takes a place, however many rows it has: two fit, and the rest is refused."""
    keep_busy(gated, gate)
    requests = [sent_as_bytes("images", PICTURES)] * 6
    answers = gated.post_together(PATH, requests, after=4, then=gate.open.set)
    assert sorted(answer.status_code for answer in answers) == [200] * 2 + [503] * 4
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json() == {"error": "The queue is full: 2 items wait already."}
    assert gate.items == 9


def test_client_that_leaves_costs_no_compute(gated: Client, gate: TensorGate) -> None:
    """What it sent is dropped while it waits, and who came after is answered."""
    queue = gated.app.state.convscope.catalog.get("colors").queue
    keep_busy(gated, gate)
    gated.post_and_leave(PATH, sent_as_json())
    assert queue.waiting == 0
    gate.open.set()
    assert gated.post(PATH, **sent_as_bytes("images", PICTURES)).status_code == 200
    assert gate.items == 6


def sent_as_json() -> bytes:
    described = b'"name":"images","datatype":"UINT8","shape":[1,8,8,3],"data":'
    return b'{"inputs":[{' + described + str([0] * 192).encode() + b"}]}"


def test_long_sound_is_given_up_when_its_client_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the run that is under way there is no other."""
    write_listener(tmp_path)
    file = b64encode(stored(tone(40))).decode()
    about = {"name": "sounds", "datatype": "BYTES", "shape": [1], "data": [file]}
    asked = {"inputs": [{**about, "parameters": {"content_type": "base64"}}]}
    monkeypatch.setattr(listen, "_SHORT_SAMPLES", 10_000)
    with Client(Settings(models_dir=tmp_path, device="cpu", threads=1)) as client:
        model = client.app.state.convscope.catalog.get("loudness")
        run, go_on, shapes = model.tensors._run, threading.Event(), []

        def wait(windows: np.ndarray, alone: bool) -> list[np.ndarray]:
            shapes.append(windows.shape)
            assert go_on.wait(10)
            return run(windows, alone)

        monkeypatch.setattr(model.tensors, "_run", wait)
        client.post_and_leave("/v2/models/loudness/infer", json.dumps(asked).encode())
        go_on.set()
        while model.queue.in_hand:
            client.get("/livez")
    assert shapes == [(16, 4000)]


def test_broken_device_is_told_and_latched(gated: Client, gate: TensorGate) -> None:
    """The request gets 503, and so does readyz until the process is another one."""
    gate.error = DeviceFault("The device failed: CUDA failure 700.")
    gate.open.set()
    answer = gated.post(PATH, **sent_as_bytes("images", PICTURES))
    assert answer.status_code == 503
    assert answer.json() == {"error": "The device failed: CUDA failure 700."}
    assert gated.get("/readyz").status_code == 503


def test_what_nobody_foresaw_tells_nothing_of_the_inside(
    gated: Client, gate: TensorGate, caplog: pytest.LogCaptureFixture
) -> None:
    """A net that breaks is the server's fault: the log has it, the client an id, others answers."""
    gate.error = RuntimeError("secret")
    gate.open.set()
    with caplog.at_level(logging.CRITICAL, "convscope"):
        answer = gated.post(PATH, **sent_as_bytes("images", PICTURES))
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["error"].startswith("Something went wrong here")
    gate.error = None
    assert gated.post(PATH, **sent_as_bytes("images", PICTURES)).status_code == 200


def test_draining_server_answers_and_sends_away(gated: Client, gate: TensorGate) -> None:
    """As with every answer while the process ends."""
    gate.open.set()
    gated.app.state.condition.drain()
    answer = gated.post(PATH, **sent_as_bytes("images", PICTURES))
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")


def test_tensors_and_pictures_are_served_from_one_queue(tmp_path: Path) -> None:
    """In any mixture each gets what it would get alone."""
    write_model(tmp_path)
    with Client(Settings(models_dir=tmp_path, device="cpu", threads=1, max_queue=99)) as client:
        tensor = np.zeros((4, 8, 8, 3), np.uint8)
        tensor[:, ..., 1] = 255
        mixed: list[dict[str, Any]] = [
            sent_as_bytes("images", tensor),
            sent_as_files("images", flat("blue"), flat("red")),
        ] * 8
        answers = client.post_together(PATH, mixed, 1, lambda: None)
        for answer, wanted in zip(answers, [[1] * 4, [2, 0]] * 8, strict=True):
            assert outputs_of(answer)["probabilities"].argmax(axis=1).tolist() == wanted
        assert client.post("/v1/classify", content=flat("red")).status_code == 200
        rows = value(client, "convscope_batch_size_sum", model="colors")
        assert rows == 8 * 6 + 1


def test_inference_needs_a_key_where_all_do(tmp_path: Path) -> None:
    """And says so in the shape that the protocol's clients read."""
    write_model(tmp_path)
    with Client(Settings(models_dir=tmp_path, device="cpu", api_keys=KEY)) as client:
        how = sent_as_bytes("images", PICTURES)
        refused = infer(client, "colors", **how)
        assert refused.status_code == 401
        assert refused.json()["error"].startswith("This needs a key")
        how["headers"]["authorization"] = f"Bearer {KEY}"
        assert infer(client, "colors", **how).status_code == 200


def test_access_log_tells_who_answered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Model and version are fields of the line, as with all other answers."""
    write_model(tmp_path, version=3)
    settings = Settings(models_dir=tmp_path, device="cpu", log_level="info")
    with Client(settings) as client, caplog.at_level(logging.INFO, "convscope.access"):
        infer(client, "colors", **sent_as_bytes("images", PICTURES))
    (record,) = caplog.records
    assert record.getMessage().startswith("POST /v2/models/colors/infer 200 in")
    assert record.fields["model"] == "colors/3"  # type: ignore[attr-defined]
