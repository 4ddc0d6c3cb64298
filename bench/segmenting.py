"""Segmentation over HTTP beside the bare graph, and what a large photograph takes.

    python -m bench.segmenting [--rounds 3] [--seconds 5] [--write]

The bare loop runs `street` on one tensor that is ready, with nothing before or after it; the server
gets a JPEG of 240x180 pixels and answers with a palette PNG. Rounds are interleaved, the load comes
from a process of its own. Then a fresh server is sent one photograph of 12 megapixels in each way,
and its peak memory is read. `--write` puts the report into bench/RESULTS.md.
"""

import argparse
import io
import os
import sys
import tempfile
import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median

import httpx
import numpy as np
from PIL import Image

from bench.chaos.server import ROOT, Server, serving
from bench.sections import RESULTS, write_section
from bench.serving.machine import describe_machine
from service.contract.manifest import read_manifest
from service.contract.preprocess import preprocess_image
from service.device import Placement, Threads
from service.load import Target, run_closed
from service.runtime import Session, open_session

_MODEL = ROOT / "models" / "street" / "1"
_SAMPLE = ROOT / "docs" / "samples" / "temple.jpg"
_CONCURRENCIES = (1, 4, 8)
_LARGE = (4000, 3000)  # width, height
_WAYS = {
    "mask": ("", "image/png"),
    "overlay": ("?render=overlay", "image/png"),
    "polygons": ("?format=polygons", "application/json"),
    "every pixel, in tiles": ("?resolution=original", "image/png"),
}
# Runs at once, and threads of each: the best of these is the limit.
_SETTINGS = ((1, 1), (2, 1), (1, 2))


def main() -> None:
    """Measure, and report."""
    options = _options()
    machine = describe_machine(("onnxruntime-gpu", "onnxruntime", "pillow", "numpy"))
    command = " ".join(["python -m bench.segmenting", *sys.argv[1:]])
    how = f"`{command}`: medians of {options.rounds} rounds of {options.seconds:g} s. {machine}"
    speed = _speed(options.rounds, options.seconds)
    text = "\n\n".join(["## Segmentation", how, speed, _large()])
    print(text)
    if options.write:
        write_section("segmenting", text)


def _speed(rounds: int, seconds: float) -> str:
    """Return a table of masks a second, bare and over HTTP."""
    picture = _photograph((240, 180))
    tensor = _tensor(picture)
    bare: dict[tuple[int, int], list[float]] = {setting: [] for setting in _SETTINGS}
    served: dict[int, list[float]] = {concurrency: [] for concurrency in _CONCURRENCIES}
    for _ in range(rounds):
        for setting, rates in bare.items():
            rates.append(_bare(tensor, *setting, seconds))
        with _server() as server:
            target = Target(_url(server, ""), {"accept": "image/png"})
            for concurrency, rates in served.items():
                report = run_closed(
                    target, [picture], concurrency=concurrency, duration_s=seconds, warmup_s=1
                )
                assert report.ok == report.sent, report.why_nothing()
                rates.append(report.throughput)
    lines = ["| what | masks/s | of the best bare loop |", "|---|---|---|"]
    best = [max(rates) for rates in zip(*bare.values(), strict=True)]  # of each round
    for (callers, threads), rates in bare.items():
        name = f"bare `run`, {callers} at once, {threads} threads each"
        lines.append(f"| {name} | {median(rates):.1f} | |")
    for concurrency, rates in served.items():
        share = median(rate / limit for rate, limit in zip(rates, best, strict=True))
        name = f"convscope, JPEG to palette PNG, {concurrency} at once"
        lines.append(f"| {name} | {median(rates):.1f} | {share:.3f} |")
    return "\n".join(lines)


def _bare(tensor: np.ndarray, callers: int, threads: int, seconds: float) -> float:
    """Return runs a second of so many callers of one session."""
    placement = Placement(device="cpu", threads=Threads(threads, threads))
    session = open_session(_MODEL / "model.onnx", "street", placement)
    _run(session, tensor, time.perf_counter() + 0.5, [])
    done: list[None] = []
    started = time.perf_counter()
    crowd = [
        threading.Thread(target=_run, args=(session, tensor, started + seconds, done))
        for _ in range(callers)
    ]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    return len(done) / (time.perf_counter() - started)


def _run(session: Session, tensor: np.ndarray, end: float, done: list[None]) -> None:
    name = session.inputs[0].name
    while time.perf_counter() < end:
        session.run({name: tensor})
        done.append(None)


def _large() -> str:
    """Return a table of what one photograph of 12 megapixels takes, in a fresh server each."""
    picture = _photograph(_LARGE)
    lines = ["| a photograph of 4000 x 3000 as | seconds | peak memory in MiB |", "|---|---|---|"]
    for name, (query, accept) in _WAYS.items():
        with _server() as server:
            started = time.perf_counter()
            answer = httpx.post(
                _url(server, query), content=picture, headers={"accept": accept}, timeout=120
            )
            seconds = time.perf_counter() - started
            answer.raise_for_status()
            lines.append(f"| {name} | {seconds:.2f} | {server.memory_mib('VmHWM'):.0f} |")
    return "\n".join(lines)


def _server() -> AbstractContextManager[Server]:
    place = Path(tempfile.gettempdir()) / "convscope-segmenting"
    return serving(place, os.sched_getaffinity(0), "cpu")


def _url(server: Server, query: str) -> str:
    return f"http://127.0.0.1:{server.port}/v1/models/street/segment{query}"


def _photograph(size: tuple[int, int]) -> bytes:
    """Return a JPEG of that width and height."""
    buffer = io.BytesIO()
    with Image.open(_SAMPLE) as image:
        image.resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _tensor(picture: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(picture)) as image:
        return preprocess_image(np.asarray(image), read_manifest(_MODEL).preprocessing)[None]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.segmenting", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--write", action="store_true", help=f"into {RESULTS.name}")
    return parser.parse_args()


if __name__ == "__main__":
    main()
