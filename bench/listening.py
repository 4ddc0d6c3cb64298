"""An hour of sound over HTTP beside the bare graph, on one processor, and the memory it takes.

    python -m bench.listening [--model spoken_digits] [--minutes 60] [--rounds 3] [--write]

The sound is made: a chord that changes every quarter of a second over a faint noise, so that no
window is silent, 44.1 kHz stereo, as MP3. The bare loop runs the model on as many windows as the
sound has, ready in memory, in batches of 16, with nothing before or after it. Both have one
processor and one thread; rounds are interleaved. Memory is the server's peak above what it had
when it was ready. `--write` puts the report into bench/RESULTS.md.
"""

import argparse
import io
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import httpx
import numpy as np
import soundfile

from bench.chaos.server import ROOT, on_processors, serving
from bench.sections import RESULTS, write_section
from bench.serving.machine import describe_machine
from service.contract.manifest import audio_spec, read_manifest
from service.device import Placement, Threads
from service.runtime import open_session

_RATE_HZ = 44_100
_WINDOWS_AT_ONCE = 16  # as the server takes them
_LARGEST_BODY = str(2**30)


class _Served(NamedTuple):
    seconds: float
    windows: int
    growth_mib: float


def main() -> None:
    """Measure, and report."""
    options = _options()
    versions = ("onnxruntime-gpu", "onnxruntime", "soundfile", "soxr", "numpy")
    machine = describe_machine(versions)
    command = " ".join(["python -m bench.listening", *sys.argv[1:]])
    how = f"`{command}`: medians of {options.rounds} rounds. {machine}"
    text = "\n\n".join(["## Listening", how, _measure(options)])
    print(text)
    if options.write:
        write_section("listening", text)


def _measure(options: argparse.Namespace) -> str:
    os.environ["CONVSCOPE_MAX_BODY_BYTES"] = _LARGEST_BODY  # which the server inherits
    duration_s = options.minutes * 60
    file = _sound(duration_s)
    cpu = {min(os.sched_getaffinity(0))}
    served, bare = [], []
    for _ in range(options.rounds):
        served.append(_serve(options.model, file, cpu))
        with on_processors(cpu):
            bare.append(_bare(options.model, served[-1].windows))
    seconds = median(run.seconds for run in served)
    share = median(loop / run.seconds for loop, run in zip(bare, served, strict=True))
    growth = max(run.growth_mib for run in served)
    return "\n".join(
        [
            f"| {options.minutes:g} minutes, {len(file) / 1e6:.0f} MB of MP3, "
            f"{served[0].windows:,} windows of `{options.model}` "
            "| times real time | of the bare loop |",
            "|---|---|---|",
            f"| bare `run`, 1 thread | {duration_s / median(bare):.0f} | |",
            f"| convscope, MP3 to JSON | {duration_s / seconds:.0f} | {share:.3f} |",
            "",
            f"Peak memory {growth:.0f} MiB above the idle server's, the body included.",
        ]
    )


def _serve(model: str, file: bytes, cpu: set[int]) -> _Served:
    """Return what one request takes of a fresh server that has this processor."""
    with serving(Path(tempfile.gettempdir()) / "convscope-listening", cpu, "cpu") as server:
        idle = server.memory_mib("VmRSS")
        started = time.perf_counter()
        url = f"http://127.0.0.1:{server.port}/v1/models/{model}/classify?top_k=1"
        headers = {"x-request-timeout-ms": "600000"}
        answer = httpx.post(url, content=file, headers=headers, timeout=600)
        seconds = time.perf_counter() - started
        answer.raise_for_status()
        growth = server.memory_mib("VmHWM") - idle
        return _Served(seconds, len(answer.json()["segments"]), growth)


def _bare(model: str, windows: int) -> float:
    """Return the seconds that the graph alone takes for so many windows."""
    folder = ROOT / "models" / model / "1"
    length = audio_spec(read_manifest(folder)).window_samples
    placement = Placement(device="cpu", threads=Threads(1, 1))
    session = open_session(folder / "model.onnx", model, placement)
    name = session.inputs[0].name
    random = np.random.default_rng(0)
    batch = random.uniform(-0.5, 0.5, (_WINDOWS_AT_ONCE, length)).astype(np.float32)
    session.run({name: batch})
    started = time.perf_counter()
    for first in range(0, windows, _WINDOWS_AT_ONCE):
        session.run({name: batch[: windows - first]})
    return time.perf_counter() - started


def _sound(duration_s: float) -> bytes:
    """Return an MP3 of the sound that the head of this file describes."""
    random, buffer = np.random.default_rng(0), io.BytesIO()
    time_s = np.arange(_RATE_HZ // 4) / _RATE_HZ
    with soundfile.SoundFile(
        buffer, "w", _RATE_HZ, 2, subtype="MPEG_LAYER_III", format="MP3"
    ) as stream:
        for _ in range(round(duration_s * 4)):
            notes_hz = 110 * 2 ** (random.integers(0, 36, 3) / 12)
            chord = np.sin(2 * np.pi * notes_hz[:, None] * time_s).mean(axis=0)
            noise = random.normal(0, 0.01, (len(time_s), 2))
            stream.write((0.5 * chord[:, None] + noise).astype(np.float32))
    return buffer.getvalue()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.listening", description=__doc__)
    parser.add_argument("--model", default="spoken_digits")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help=f"into {RESULTS.name}")
    return parser.parse_args()


if __name__ == "__main__":
    main()
