"""The servers that are given tensors. Rivals get them as a file, and answer with JSON."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from bench.inferring.tensors import WORKLOAD, request_of
from bench.serving.servers import CONTESTANTS, Contestant, Running, serving
from bench.serving.upload import upload
from service.load import Target, probe

OURS = "convscope"
_HOW = {
    OURS: "`convscope serve`, Open Inference Protocol, bytes both ways",
    "tutorial": "FastAPI as tutorials write it: `async def` with an `UploadFile`, the session's "
    "default options, one uvicorn process, its access log off",
    "litserve": "LitServe with two workers, each request a batch of its own",
    "bentoml": "BentoML, one worker a processor, each request a batch of its own, no access log",
}
_APPS = {
    "tutorial": [*("-m", "uvicorn", "bench.inferring.tutorial_app:app"), "--no-access-log"],
    "litserve": ["-m", "bench.inferring.litserve_app"],
    "bentoml": ["-m", "bentoml", "serve", "bench.inferring.bentoml_app:Tensors"],
}


class WrongAnswer(Exception):
    """A server does not find what the bare loop finds."""


def names() -> list[str]:
    """Return the servers that are installed, ours first."""
    return [name for name in _HOW if CONTESTANTS[name].installed]


def described(name: str) -> str:
    """Return how the server is set up, as a sentence."""
    return f"{name}: {_HOW[name]}."


@contextmanager
def started(name: str) -> Iterator[Running]:
    """Start the server, wait until it is ready, and end it afterwards."""
    with serving(_contestant(name), WORKLOAD) as running:
        yield running


def target_of(name: str, running: Running, values: np.ndarray) -> tuple[Target, bytes]:
    """Return where and what to post to have the tensor run."""
    if name == OURS:
        headers, body = request_of(values)
    else:
        headers, body = upload(values.tobytes(), "application/octet-stream", "file")
    path = f"/v2/models/{WORKLOAD.name}/infer" if name == OURS else "/predict"
    return Target(f"http://127.0.0.1:{running.port}{path}", headers), body


def check_answer(name: str, running: Running, values: np.ndarray, wanted: np.ndarray) -> None:
    """Ask once. Raises: WrongAnswer; Unanswered."""
    answer = probe(*target_of(name, running, values))
    if answer.status != 200:
        raise WrongAnswer(f"it answered {answer}")
    if name == OURS:
        found = np.frombuffer(answer.body[-wanted.nbytes :], np.float32)
    else:
        found = np.array(json.loads(answer.body), np.float32).reshape(-1)
    if found.shape != (wanted.size,) or not np.allclose(found, wanted.reshape(-1), atol=1e-5):
        raise WrongAnswer("it found other probabilities than the bare loop")


def _contestant(name: str) -> Contestant:
    known = CONTESTANTS[name]

    def command(workload: object, port: int) -> list[str]:
        if name == OURS:
            return known.command(WORKLOAD, port)
        place = [str(port)] if name == "litserve" else ["--port", str(port)]
        return [sys.executable, *_APPS[name], *place]

    return Contestant(
        name=known.name,
        how=_HOW[name],
        package=known.package,
        command=command,
        path=known.path,
        field=known.field,
        ready=known.ready,
    )
