"""What it costs to look inside: a feature map beside the bare run of its prefix, and to whom.

    python -m bench.looking [--rounds 3] [--seconds 5] [--write]

First, one request at a time for the maps of a layer as PNG. The bare loop decodes and resizes the
same JPEG, runs the prefix that is cut at the layer, and draws the mosaic: what nobody could leave
out. Then the bare run and the drawing alone. Rounds are interleaved.

Second, classify with four requests at once, alone and while one client asks for maps one after
the other. The maps' share of the processors is what their bare loop takes, times how many were
answered in that time: classify may lose no more than that. `--write` puts the report into
bench/RESULTS.md.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np
import onnx

from bench.chaos.server import ROOT, Server, serving
from bench.sections import RESULTS, write_section
from bench.serving.machine import describe_machine
from service.codecs.image import ImageLimits, decode_image
from service.contract.manifest import image_spec, read_manifest
from service.contract.preprocess import enough_px, preprocess_image
from service.device import Placement, Threads
from service.graph.prefix import cut_prefix
from service.load import Target, run_closed
from service.runtime import open_session
from service.tasks.mosaic import render_mosaic

_SAMPLES = ROOT / "docs" / "samples"
# Model, layer and sample: small and large maps, early and late ones.
_LOOKS = (
    ("cifar10", "group1/Add", "cat.jpg"),
    ("cifar10", "group3/Add", "cat.jpg"),
    ("flowers", "layer1.1.relu/Relu", "cat.jpg"),
    ("flowers", "layer4.1.relu/Relu", "cat.jpg"),
    ("street", "encoder.layer3.1.relu/Relu", "temple.jpg"),
)
_CLASSIFYING, _LOOKING = "flowers", ("flowers", "layer2.1.relu/Relu", "cat.jpg")
_CONCURRENCY = 4
_MOST = 1.25


@dataclass(frozen=True)
class _Costs:
    """Milliseconds of a request and of what nobody could leave out of it."""

    served: float
    bare: float
    run: float
    draw: float


def main() -> None:
    """Measure, and report."""
    options = _options()
    machine = describe_machine(("onnxruntime-gpu", "onnxruntime", "pillow", "numpy"))
    command = " ".join(["python -m bench.looking", *sys.argv[1:]])
    how = f"`{command}`: medians of {options.rounds} rounds of {options.seconds:g} s. {machine}"
    parts = [_costs(options.rounds, options.seconds), _company(options.rounds, options.seconds)]
    text = "\n\n".join(["## Looking inside", how, *parts])
    print(text)
    if options.write:
        write_section("looking", text)


def _costs(rounds: int, seconds: float) -> str:
    """Return a table of what a feature map costs, over HTTP and without."""
    found: dict[tuple[str, str, str], list[_Costs]] = {look: [] for look in _LOOKS}
    for _ in range(rounds):
        with _server() as server:
            for look, costs in found.items():
                costs.append(_cost(server, look, seconds / len(_LOOKS)))
    lines = [
        "| maps as PNG, one at a time | request, ms | bare, ms | run | drawing | of bare |",
        "|---|---|---|---|---|---|",
    ]
    for (model, layer, _), costs in found.items():
        served, bare, run, draw = (
            median(getattr(cost, name) for cost in costs)
            for name in ("served", "bare", "run", "draw")
        )
        ratio = median(cost.served / cost.bare for cost in costs)
        verdict = "" if ratio <= _MOST else f", over {_MOST}"
        lines.append(
            f"| {model}, `{layer}` | {served:.2f} | {bare:.2f} | {run:.2f} | {draw:.2f} "
            f"| {ratio:.2f}{verdict} |"
        )
    return "\n".join(lines)


def _cost(server: Server, look: tuple[str, str, str], seconds: float) -> _Costs:
    file = _SAMPLES.joinpath(look[2]).read_bytes()
    url = _url(server, look)
    with httpx.Client() as client:

        def ask() -> None:
            client.post(url, content=file).raise_for_status()

        served = _typical(ask, seconds)
    bare = _Bare(look)
    return _Costs(
        served,
        _typical(lambda: bare.draw(bare.run(bare.decode(file))), seconds),
        _typical(lambda: bare.run(bare.inputs), seconds),
        _typical(lambda: bare.draw(bare.values), seconds),
    )


class _Bare:
    """The steps of a feature map without a server, on all processors."""

    def __init__(self, look: tuple[str, str, str]) -> None:
        model, self._layer, sample = look
        folder = ROOT / "models" / model / "1"
        self._spec = image_spec(read_manifest(folder))
        # without the arena, as a prefix is served
        prefix = cut_prefix(onnx.load(folder / "model.onnx"), self._layer)
        threads = Threads(1, 1)
        self._session = open_session(prefix, model, Placement("cpu", threads), arena=False)
        self.inputs = self.decode(_SAMPLES.joinpath(sample).read_bytes())
        self.values = self.run(self.inputs)

    def decode(self, file: bytes) -> np.ndarray[Any, Any]:
        free = self._spec.resize in ("none", "same_area")
        pixels = decode_image(file, ImageLimits(), None if free else enough_px(self._spec))
        return preprocess_image(pixels, self._spec)[None]

    def run(self, inputs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        (name,) = (tensor.name for tensor in self._session.inputs)
        return self._session.run({name: inputs})[self._layer][0]

    def draw(self, values: np.ndarray[Any, Any]) -> bytes:
        return render_mosaic(values, range(len(values)), self._layer)


def _typical(work: Callable[[], object], seconds: float) -> float:
    """Return the median milliseconds of the work, done again and again for so long."""
    work()
    taken, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken) < 3:
        started = time.perf_counter()
        work()
        taken.append((time.perf_counter() - started) * 1000)
    return median(taken)


def _company(rounds: int, seconds: float) -> str:
    """Return what classify loses while maps are asked for, and what their share is."""
    alone, together, shares = [], [], []
    bare = _Bare(_LOOKING)
    file = _SAMPLES.joinpath(_LOOKING[2]).read_bytes()
    maps_ms = _typical(lambda: bare.draw(bare.run(bare.decode(file))), seconds)
    for _ in range(rounds):
        with _server() as server:
            alone.append(_classify(server, file, seconds))
            with _Asking(_url(server, _LOOKING), file) as asking:
                together.append(_classify(server, file, seconds))
            processors = len(os.sched_getaffinity(0))
            shares.append(asking.answered * maps_ms / 1000 / asking.seconds / processors)
    lost = median(1 - pair / single for single, pair in zip(alone, together, strict=True))
    share = median(shares)
    verdict = "no more than that" if lost <= share else f"**{lost - share:.1%} more than that**"
    return "\n".join(
        [
            f"| `{_CLASSIFYING}`, {_CONCURRENCY} pictures at once | requests/s |",
            "|---|---|",
            f"| alone | {median(alone):.1f} |",
            f"| while maps of `{_LOOKING[1]}` are asked for | {median(together):.1f} |",
            "",
            f"The maps take {share:.1%} of the processors, classify loses {lost:.1%}: {verdict}.",
        ]
    )


def _classify(server: Server, file: bytes, seconds: float) -> float:
    """Return the pictures classified a second."""
    target = Target(f"http://127.0.0.1:{server.port}/v1/models/{_CLASSIFYING}/classify", {})
    report = run_closed(target, [file], concurrency=_CONCURRENCY, duration_s=seconds, warmup_s=0.5)
    assert report.ok == report.sent, report.why_nothing()
    return report.throughput


class _Asking:
    """A client that asks for maps again and again, in a thread of its own, until it is left."""

    def __init__(self, url: str, file: bytes) -> None:
        self._url, self._file = url, file
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.answered, self.seconds = 0, 0.0

    def __enter__(self) -> "_Asking":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()

    def _ask(self) -> None:
        started = time.perf_counter()
        with httpx.Client(timeout=60) as client:
            while not self._enough.is_set():
                client.post(self._url, content=self._file).raise_for_status()
                self.answered += 1
        self.seconds = time.perf_counter() - started


def _server() -> AbstractContextManager[Server]:
    place = Path(tempfile.gettempdir()) / "convscope-looking"
    return serving(place, os.sched_getaffinity(0), "cpu")


def _url(server: Server, look: tuple[str, str, str]) -> str:
    return f"http://127.0.0.1:{server.port}/v1/models/{look[0]}/feature-maps?layer={look[1]}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.looking", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--write", action="store_true", help=f"into {RESULTS.name}")
    return parser.parse_args()


if __name__ == "__main__":
    main()
