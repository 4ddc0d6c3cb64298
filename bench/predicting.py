"""`convscope predict --out` beside the best simple script that one would write instead.

    python -m bench.predicting [--data cifar10_jpeg.npz] [--rounds 5] [--kills 5] [--write]

The script decodes with Pillow, stacks and runs the model, in as many threads as there are
processors with one thread of ONNX Runtime each, and writes nothing; of a few batch sizes the best
of each round counts. Every measurement has a process of its own, and rounds are interleaved. Rates
are of the running part, from the first file to the last, in convscope's case with everything
written; starting up is told beside it.

`--data` names an .npz with `test_jpeg`, the files one after another, and `test_offsets`; without
it small JPEG pictures are made. Then the command is killed with SIGKILL at random moments and
given again until it ends, and its results are held against those of a run that nobody killed.
`--write` puts the report into bench/RESULTS.md.
"""

import argparse
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from PIL import Image

from bench.sections import RESULTS, write_section
from bench.serving.machine import describe_machine
from service.cpus import available_cpus

ROOT = Path(__file__).parents[1]
_MODEL = "cifar10"
_GRAPH = ROOT / "models" / _MODEL / "1" / "model.onnx"
_BATCHES = (8, 16, 32, 64)
_SIDE_PX = 32
_CLOSE = 1e-4  # probabilities of one picture, in batches of other sizes


class _Run(NamedTuple):
    """Of the command. rate: pictures a second while it ran. start_s: all the rest."""

    rate: float
    run_s: float
    start_s: float


def main() -> None:
    """Measure, and report."""
    options = _options()
    if options.bare:
        print(_bare_rate(options.folder, options.bare))
        return
    machine = describe_machine(("onnxruntime-gpu", "onnxruntime", "pillow", "numpy"))
    with tempfile.TemporaryDirectory(prefix="convscope-predicting-") as place:
        folder = Path(place) / "pictures"
        told = _write_pictures(folder, options.data, options.pictures)
        speed = _speed(folder, options.rounds)
        killed = _killed(folder, options.kills) if options.kills else ""
    command = " ".join(["python -m bench.predicting", *_shown_arguments()])
    how = f"`{command}`: {told}, medians of {options.rounds} rounds. {machine}"
    text = "\n\n".join(filter(None, ["## Predicting into a file", how, speed, killed]))
    print(text)
    if options.write:
        write_section("predicting", text)


def _write_pictures(folder: Path, data: Path | None, pictures: int) -> str:
    """Write a file for each picture, and say what they are."""
    folder.mkdir()
    if data is None:
        random_ = np.random.default_rng(0)
        for number in range(pictures):
            pixels = random_.integers(0, 256, (_SIDE_PX // 4, _SIDE_PX // 4, 3), np.uint8)
            image = Image.fromarray(pixels).resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BICUBIC)
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=75)
            (folder / f"{number:06}.jpg").write_bytes(buffer.getvalue())
        return f"{pictures:,} JPEG pictures of {_SIDE_PX} x {_SIDE_PX} pixels that were made"
    with np.load(data) as arrays:
        files, offsets = arrays["test_jpeg"], arrays["test_offsets"]
    pictures = min(pictures, len(offsets) - 1)
    for number in range(pictures):
        content = files[offsets[number] : offsets[number + 1]]
        (folder / f"{number:06}.jpg").write_bytes(content.tobytes())
    return f"the first {pictures:,} test pictures of {data.name}, as JPEG files"


def _speed(folder: Path, rounds: int) -> str:
    """Return a table of pictures a second of the script and of the command."""
    bare: dict[int, list[float]] = {batch: [] for batch in _BATCHES}
    ours: list[float] = []
    starts: list[float] = []
    for _ in range(rounds):
        for batch, rates in bare.items():
            rates.append(_in_process(folder, batch))
        with tempfile.TemporaryDirectory() as place:
            run = _predict(folder, Path(place) / "results.jsonl")
        ours.append(run.rate)
        starts.append(run.start_s)
    best = [max(rates) for rates in zip(*bare.values(), strict=True)]  # of each round
    ratios = [rate / limit for rate, limit in zip(ours, best, strict=True)]
    lines = ["| what | pictures/s | of the best script |", "|---|---|---|"]
    lines += [
        f"| script, batches of {batch} | {median(rates):,.0f} | |" for batch, rates in bare.items()
    ]
    spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
    lines.append(
        f"| `convscope predict --out`, to JSON lines | {median(ours):,.0f} "
        f"| {median(ratios):.3f} ({spread}) |"
    )
    lines += ["", f"Starting up took convscope {median(starts):.2f} s more."]
    return "\n".join(lines)


def _in_process(folder: Path, batch: int) -> float:
    command = [sys.executable, "-m", "bench.predicting", "--bare", str(batch), "--folder"]
    done = subprocess.run(
        [*command, str(folder)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def _bare_rate(folder: Path, batch: int) -> float:
    """Return the pictures a second of the script."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(_GRAPH), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def classify(files: list[str]) -> list[int]:
        pixels = [np.asarray(Image.open(file).convert("RGB")) for file in files]
        (probabilities,) = session.run(["probabilities"], {name: np.stack(pixels)})
        classes: list[int] = probabilities.argmax(1).tolist()
        return classes

    started = time.perf_counter()
    files = sorted(entry.path for entry in os.scandir(folder))
    batches = [files[first : first + batch] for first in range(0, len(files), batch)]
    with ThreadPoolExecutor(available_cpus()) as pool:
        answers = [answer for answers in pool.map(classify, batches) for answer in answers]
    return len(answers) / (time.perf_counter() - started)


def _predict(folder: Path, out: Path) -> _Run:
    """Return how long the command took."""
    started = time.perf_counter()
    done = subprocess.run(
        _command(folder, out), cwd=ROOT, capture_output=True, text=True, check=True
    )
    seconds = time.perf_counter() - started
    found = re.search(r"([\d,]+) files in [\d.,]+ s, ([\d.,]+) a second", done.stderr)
    assert found, done.stderr
    files, rate = (float(number.replace(",", "")) for number in found.groups())
    return _Run(rate, files / rate, seconds - files / rate)


def _command(folder: Path, out: Path) -> list[str]:
    program = [sys.executable, "-m", "service", "predict", str(folder), "--model", _MODEL]
    return [*program, "--device", "cpu", "--out", str(out)]


def _killed(folder: Path, kills: int) -> str:
    """Return what became of a run that was killed so often; raises if it is not the same."""
    with tempfile.TemporaryDirectory() as place:
        whole, pieces = Path(place) / "whole.jsonl", Path(place) / "pieces.jsonl"
        alone, left = _predict(folder, whole), []
        for _ in range(kills):
            # some before anything is answered; all together before everything is
            latest_s = alone.start_s + 0.8 * alone.run_s / kills
            _run_and_kill(_command(folder, pieces), random.uniform(0, latest_s))
            left.append(pieces.read_bytes().count(b"\n") if pieces.exists() else 0)
        subprocess.run(_command(folder, pieces), cwd=ROOT, capture_output=True, check=True)
        wanted, found = _read(whole), _read(pieces)
    assert [path for path, _ in found] == [path for path, _ in wanted], "lost or done twice"
    off = max(abs(a - b) for (_, a), (_, b) in zip(found, wanted, strict=True))
    assert off < _CLOSE, f"probabilities differ by {off}"
    shown = ", ".join(f"{count:,}" for count in left)
    return (
        f"Killed with SIGKILL {kills} times, with {shown} records on disk then, and given again: "
        f"{len(found):,} records, each picture once, in order, as of a run that was left alone "
        f"(largest difference of a probability {off:.1g})."
    )


def _run_and_kill(command: list[str], after_s: float) -> None:
    """Run the command for so long."""
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        timer = threading.Timer(after_s, process.send_signal, [signal.SIGKILL])
        timer.start()
        code = process.wait()
        timer.cancel()
    assert code == -signal.SIGKILL, f"it ended by itself, with {code}: take more pictures"


def _read(results: Path) -> list[tuple[str, float]]:
    """Return path and highest probability of every record."""
    records = map(json.loads, results.read_text().splitlines())
    return [(record["path"], record["predictions"][0]["probability"]) for record in records]


def _shown_arguments() -> list[str]:
    """Return the arguments without where on this machine the data lie."""
    return [Path(word).name if "/" in word else word for word in sys.argv[1:]]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.predicting", description=__doc__)
    parser.add_argument("--data", type=Path, help="an .npz with pictures")
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--write", action="store_true", help=f"into {RESULTS.name}")
    parser.add_argument("--bare", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
