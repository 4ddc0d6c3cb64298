"""The servers that are compared, and how each is started and stopped."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.serving.processes import family, kill
from bench.serving.upload import upload
from bench.serving.workloads import CACHE, MODEL_VARIABLE, Workload
from service.load import Target

ROOT = Path(__file__).parents[2]
_PATIENCE_S = 120.0  # for a start on a machine that is busy
_BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Contestant:
    """A server.

    how: how it is set up, as a sentence for the report.
    package: what must be installed for it.
    command: its command line for a workload and a port.
    path: where pictures are posted, for a workload.
    field: name of the multipart field; None where the body is the picture.
    ready: path that answers 200 when it can serve.
    """

    name: str
    how: str
    package: str
    command: Callable[[Workload, int], list[str]]
    path: Callable[[Workload], str]
    field: str | None
    ready: str

    @property
    def installed(self) -> bool:
        """Whether its package is."""
        return importlib.util.find_spec(self.package) is not None


@dataclass(frozen=True)
class Running:
    """A server that answers. pid: its first process; port: on 127.0.0.1."""

    pid: int
    port: int


class NotReady(Exception):
    """A server did not start; `str(error)` is the end of its log."""


CONTESTANTS = {
    contestant.name: contestant
    for contestant in (
        Contestant(
            name="convscope",
            how="`convscope serve` with its defaults, raw bytes in the body",
            package="service",
            command=lambda workload, port: [
                *(str(_BIN / "convscope"), "serve", "--device", "cpu", "--port", str(port)),
                *("--models-dir", str(workload.models_dir)),
            ],
            path=lambda workload: f"/v1/models/{workload.name}/classify",
            field=None,
            ready="/readyz",
        ),
        Contestant(
            name="tutorial",
            how="FastAPI as tutorials write it: `async def` with an `UploadFile`, the session's "
            "default options, one uvicorn process, its access log off",
            package="fastapi",
            command=lambda workload, port: [
                *(sys.executable, "-m", "uvicorn", "bench.serving.tutorial_app:app"),
                *("--port", str(port), "--no-access-log", "--log-level", "warning"),
            ],
            path=lambda workload: "/predict",
            field="file",
            ready="/openapi.json",
        ),
        Contestant(
            name="litserve",
            how="LitServe as in its own benchmark: two workers, batches of up to 8 gathered "
            "for up to 10 ms, decoding in threads",
            package="litserve",
            command=lambda workload, port: [
                *(sys.executable, "-m", "bench.serving.litserve_app", str(port)),
            ],
            path=lambda workload: "/predict",
            field="file",
            ready="/health",
        ),
        Contestant(
            name="bentoml",
            how="BentoML with adaptive batching (up to 32), one worker a processor, "
            "its access log off",
            package="bentoml",
            command=lambda workload, port: [
                *(sys.executable, "-m", "bentoml", "serve", "bench.serving.bentoml_app:Classifier"),
                *("--host", "127.0.0.1", "--port", str(port)),
            ],
            path=lambda workload: "/predict",
            field="images",
            ready="/readyz",
        ),
    )
}


def target_and_body(
    contestant: Contestant, workload: Workload, running: Running
) -> tuple[Target, bytes]:
    """Return where and what to post to have the workload's picture classified."""
    headers, body = upload(workload.picture(), workload.media_type, contestant.field)
    return Target(f"http://127.0.0.1:{running.port}{contestant.path(workload)}", headers), body


@contextmanager
def serving(contestant: Contestant, workload: Workload) -> Iterator[Running]:
    """Start the server, wait until it is ready, and end all its processes afterwards."""
    port = _free_port()
    log = CACHE / f"{contestant.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            contestant.command(workload, port),
            cwd=ROOT,
            env=_environment(workload),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_ready(process, f"http://127.0.0.1:{port}{contestant.ready}", log)
            yield Running(process.pid, port)
        finally:
            _stop(process)


def _environment(workload: Workload) -> dict[str, str]:
    quiet = {"ORT_DISABLE_TELEMETRY": "1", "BENTOML_DO_NOT_TRACK": "True"}
    return os.environ | quiet | {MODEL_VARIABLE: str(workload.folder), "PYTHONPATH": str(ROOT)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        # a refusal of the connection, or a status that says "not yet", is one of these
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.1)
    raise NotReady(f"did not start; {log} ends with {log.read_text(errors='replace')[-1000:]}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    members = family(process.pid)
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=10)
    process.kill()
    process.wait()
    kill(members[1:])  # not all servers take their workers with them
