"""Versions come and go while many clients ask."""

import math
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple

import httpx

from tests.api.real_server import start, stop
from tests.pictures import flat
from tests.tiny_models import write_model

KEY = "admin-key-for-tests"
CLIENTS = 8
PATIENCE_S = 60
# of version and sharpness: pushed as 1, as 2, and in the place of 2
FIRST, SECOND, THIRD = (1, 1), (2, 10), (2, 3)


class Answer(NamedTuple):
    """What came back. stage: how far things were when the request was sent."""

    stage: int
    status: int
    version: int = 0
    probability: float = 0.0

    def is_from(self, content: tuple[int, float]) -> bool:
        """Return whether it is of that version and sharpness, and no mixture."""
        version, sharpness = content
        return version == self.version and abs(self.probability - certainty(sharpness)) < 0.02


class Crowd:
    """Clients that post pictures one after another until told to stop, and note every answer.

    stage: counted up by whoever changes something, once that is done.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._enough = threading.Event()
        self._news = threading.Condition()
        self.answers: list[Answer] = []
        self.stage = 0

    def ask(self) -> None:
        with httpx.Client(base_url=self._url, timeout=PATIENCE_S) as client:
            while not self._enough.is_set():
                stage = self.stage
                answer = client.post("/v1/models/colors/classify", content=flat("red"))
                found = Answer(stage, answer.status_code)
                if answer.status_code == 200:
                    body = answer.json()
                    probability = body["predictions"][0]["probability"]
                    found = found._replace(
                        version=body["model"]["version"], probability=probability
                    )
                with self._news:
                    self.answers.append(found)
                    self._news.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(condition, PATIENCE_S)

    def wait_for_more(self) -> None:
        """Return when every client has probably had some answers more."""
        enough = len(self.answers) + 10 * CLIENTS
        self.wait_for(lambda: len(self.answers) >= enough)

    def stop(self) -> None:
        self._enough.set()


def push(root: Path, version: int, sharpness: float) -> Path:
    """Make the version ready in a hidden folder and let it appear whole."""
    made = write_model(root.parent / "made", version=version, sharpness=sharpness)
    target = root / "colors" / str(version)
    hidden = target.with_name(f".{version}.new")
    made.rename(hidden)
    if target.exists():
        target.rename(target.with_name(f".{version}.old"))
    hidden.rename(target)
    return target


def certainty(sharpness: float) -> float:
    """Return how sure a model is that red is red, up to the compression of the picture."""
    return math.exp(sharpness) / (math.exp(sharpness) + 2)


def test_no_request_is_lost_when_versions_come_and_go(tmp_path: Path) -> None:
    """A good version, new content in its place, a corrupted one, and the old one removed."""
    root, keys = tmp_path / "models", tmp_path / "keys"
    keys.write_text(KEY)
    (root / "colors").mkdir(parents=True)
    push(root, *FIRST)
    server = start(root, "--admin-keys-file", str(keys))
    crowd = Crowd(server.url)

    def rescan() -> dict[str, list[str]]:
        key = {"x-api-key": KEY}
        answer = httpx.post(f"{server.url}/v1/models:rescan", headers=key, timeout=PATIENCE_S)
        assert answer.status_code == 200, answer.text
        crowd.stage += 1
        return {name: value for name, value in answer.json().items() if name != "models" and value}

    with ThreadPoolExecutor(CLIENTS) as pool:
        asking = [pool.submit(crowd.ask) for _ in range(CLIENTS)]
        try:
            crowd.wait_for_more()
            push(root, *SECOND)
            assert rescan() == {"loaded": ["colors/2"]}
            crowd.wait_for_more()
            push(root, *THIRD)
            assert rescan() == {"loaded": ["colors/2"]}
            crowd.wait_for_more()
            graph = push(root, 3, 5) / "model.onnx"
            graph.write_bytes(graph.read_bytes()[:-100])
            assert rescan() == {"refused": ["colors/3"]}
            crowd.wait_for_more()
            shutil.rmtree(root / "colors" / "1")
            assert rescan() == {"unloaded": ["colors/1"]}
            crowd.wait_for_more()
        finally:
            crowd.stop()
            wait(asking)
            code = stop(server)
    for clients in asking:
        clients.result()
    assert code == 0

    assert {answer.status for answer in crowd.answers} == {200}
    may_be = {0: (FIRST, SECOND), 1: (SECOND, THIRD), 2: (THIRD,), 3: (THIRD,), 4: (THIRD,)}
    for answer in crowd.answers:
        assert any(map(answer.is_from, may_be[answer.stage])), answer
    for content in (FIRST, SECOND, THIRD):
        assert any(answer.is_from(content) for answer in crowd.answers)
