"""What is sent, and the limit: a tensor of the small net, and a bare loop that runs it."""

import json
import threading
import time
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort

from bench.serving.pipeline import open_session
from bench.serving.workloads import WORKLOADS
from service.cpus import available_cpus

WORKLOAD = WORKLOADS["resnet20"]
ROWS = (1, 8, 32)
CONCURRENCIES = (1, 2, 8)
_WARM_UP_S = 0.5
_CPUS = available_cpus()


@dataclass(frozen=True)
class Way:
    """How the bare loop runs: threads that call one session, and threads of each run."""

    callers: int
    threads: int
    spinning: bool = True

    @property
    def name(self) -> str:
        spins = "" if self.spinning or self.threads == 1 else ", not spinning"
        return f"{self.callers} at once, {self.threads} thread{'s'[: self.threads > 1]} each{spins}"


WAYS = (Way(_CPUS, 1), Way(1, _CPUS), Way(1, _CPUS, spinning=False))


def tensor(rows: int) -> np.ndarray:
    """Return pictures of noise (rows, H, W, 3) uint8."""
    shape = (rows, WORKLOAD.size, WORKLOAD.size, 3)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def request_of(values: np.ndarray) -> tuple[dict[str, str], bytes]:
    """Return headers and body of the Open Inference Protocol: bytes there, and bytes back."""
    parameters = {"binary_data_size": values.nbytes}
    about = {"name": "images", "shape": values.shape, "datatype": "UINT8", "parameters": parameters}
    wanted = [{"name": "probabilities", "parameters": {"binary_data": True}}]
    head = json.dumps({"inputs": [about], "outputs": wanted}).encode()
    return {"Inference-Header-Content-Length": str(len(head))}, head + values.tobytes()


def bare_rate(values: np.ndarray, way: Way, seconds: float) -> float:
    """Return how many times a second the tensor is run in a loop, with nothing around it."""
    session = open_session(WORKLOAD.folder, way.threads, way.spinning)
    _call(session, values, time.perf_counter() + _WARM_UP_S, [])
    done: list[None] = []
    started = time.perf_counter()
    arguments = (session, values, started + seconds, done)
    threads = [threading.Thread(target=_call, args=arguments) for _ in range(way.callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(done) / (time.perf_counter() - started)


def expected(values: np.ndarray) -> np.ndarray:
    """Return the probabilities (rows, classes) that every server must find."""
    session = open_session(WORKLOAD.folder, threads=1)
    (probabilities,) = session.run(["probabilities"], {"images": values})
    return np.asarray(probabilities)


def _call(session: ort.InferenceSession, values: np.ndarray, end: float, done: list[None]) -> None:
    while time.perf_counter() < end:
        session.run(["probabilities"], {"images": values})
        done.append(None)
