"""Tensors over HTTP beside the bare loop that runs them, on one machine, in one run.

    python -m bench.inferring [--rounds 3] [--seconds 5] [--rows 1,8,32] [--only NAMES] [--write]

The small net of bench.serving gets the same tensor by the Open Inference Protocol, as bytes both
ways, by rivals, and in a bare loop of `InferenceSession.run`. Rounds are interleaved, one server is
alive at a time, and the load comes from this process, whose processor time is told.
"""

import argparse
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from bench.inferring import servers
from bench.inferring.tensors import (
    CONCURRENCIES,
    ROWS,
    WAYS,
    WORKLOAD,
    Way,
    bare_rate,
    expected,
    tensor,
)
from bench.sections import RESULTS, write_section
from bench.serving.client import Meter
from bench.serving.machine import describe_machine
from bench.serving.servers import ROOT, NotReady
from service.contract.errors import InvalidModel
from service.contract.manifest import read_manifest
from service.load import Unanswered, run_closed

_PACKAGES = ("onnxruntime-gpu", "onnxruntime", "numpy", "fastapi", "uvicorn", "litserve", "bentoml")
_WARM_UP_S = 1.0
TARGET = 0.9  # of the bare loop, for the largest tensor


class Sample(NamedTuple):
    """One measurement of a server. share: of the fastest bare loop of its round."""

    rate: float
    share: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    client_cores: float


class Figures:
    """All that was measured: of the bare loop by rows and way, of servers by name too."""

    def __init__(self) -> None:
        self.bare: dict[tuple[int, Way], list[float]] = defaultdict(list)
        self.served: dict[tuple[str, int, int], list[Sample]] = defaultdict(list)
        self.failed: dict[str, str] = {}

    def limit(self, rows: int, concurrency: int) -> float:
        """Return the rate of this round's fastest bare loop: of one caller for one client."""
        ways = [way for way in WAYS if concurrency > 1 or way.callers == 1]
        return max(self.bare[rows, way][-1] for way in ways)


def main() -> None:
    """Measure, and report."""
    options = _options()
    machine = describe_machine(_PACKAGES)
    command = " ".join(["python -m bench.inferring", *sys.argv[1:]])
    how = f"`{command}`: medians of {options.rounds} rounds of {options.seconds:g} s. {machine}"
    _make_model()
    figures = Figures()
    for number in range(options.rounds):
        _loops(figures, options.rows, options.seconds)
        shift = number % len(options.only)  # whoever comes first once comes last the next time
        for name in [*options.only[shift:], *options.only[:shift]]:
            if name not in figures.failed:
                _serve(figures, name, options.rows, options.seconds)
    text = _report(figures, how, options)
    print(text)
    if options.write:
        write_section("inferring", text)


def _make_model() -> None:
    """Make the model if there is none that fits; in a process of its own, for torch is large."""
    try:
        read_manifest(WORKLOAD.folder)
    except InvalidModel:  # none was made yet, or the contract has changed since
        command = [sys.executable, "-m", "bench.serving.models", WORKLOAD.name]
        subprocess.run(command, cwd=ROOT, check=True)


def _loops(figures: Figures, rows: Sequence[int], seconds: float) -> None:
    for count in rows:
        for way in WAYS:
            figures.bare[count, way].append(bare_rate(tensor(count), way, seconds))


def _serve(figures: Figures, name: str, rows: Sequence[int], seconds: float) -> None:
    try:
        with servers.started(name) as running:
            for count in rows:
                servers.check_answer(name, running, tensor(count), expected(tensor(count)))
                for concurrency in CONCURRENCIES:
                    target, body = servers.target_of(name, running, tensor(count))
                    meter = Meter(running.pid, _WARM_UP_S, seconds)
                    report = run_closed(target, [body], concurrency, seconds, _WARM_UP_S)
                    if report.ok < report.sent or report.latency_ms is None:
                        raise servers.WrongAnswer(report.why_nothing())
                    sample = Sample(
                        report.throughput,
                        report.throughput / figures.limit(count, concurrency),
                        report.latency_ms["p50"],
                        report.latency_ms["p99"],
                        meter.cores() * 1000 / report.throughput,
                        report.client_cpu_s / report.duration_s,
                    )
                    figures.served[name, count, concurrency].append(sample)
                    what = f"{count} rows at {concurrency}: {sample.share:.3f}"
                    print(f"{name}: {what}", file=sys.stderr, flush=True)
    except (NotReady, Unanswered, servers.WrongAnswer) as error:
        figures.failed[name] = " ".join(str(error).split())[-300:]
        print(f"{name} is left out: {error}", file=sys.stderr, flush=True)


def _report(figures: Figures, how: str, options: argparse.Namespace) -> str:
    loops = ["| bare loop | rows | tensors/s |", "|---|---|---|"]
    for (count, way), rates in figures.bare.items():
        loops.append(f"| {way.name} | {count} | {median(rates):.1f} |")
    table = ["| server | rows | at once | tensors/s | of the loop | p50 | p99 | CPU-ms | client |"]
    table.append("|---|---|---|---|---|---|---|---|---|")
    for (name, count, concurrency), samples in sorted(
        figures.served.items(), key=lambda entry: (entry[0][1], entry[0][2])
    ):
        middle = Sample(*(median(values) for values in zip(*samples, strict=True)))
        table.append(
            f"| {name} | {count} | {concurrency} | {middle.rate:.1f} | {middle.share:.3f} "
            f"| {middle.p50_ms:.2f} | {middle.p99_ms:.2f} | {middle.cpu_ms:.3f} "
            f"| {middle.client_cores:.2f} |"
        )
    left_out = [f"- left out: {name}, {reason}" for name, reason in figures.failed.items()]
    explained = (
        f'Tensors of {WORKLOAD.size} x {WORKLOAD.size} x 3 bytes a row. "of the loop" is the '
        "throughput as a share of the fastest bare loop of its round, of a single caller's where "
        "tensors come one at a time. p50 and p99 in ms; CPU-ms of the server for a tensor; the "
        "processors that the load took are not given back to the server."
    )
    setup = [f"- {servers.described(name)}" for name in options.only]
    parts = [
        "## Inference: tensors by the Open Inference Protocol",
        how,
        explained,
        "\n".join(loops),
        "\n".join(table),
        _verdict(figures, options.rows),
        "\n".join([*setup, *left_out]),
    ]
    return "\n\n".join(part for part in parts if part)


def _verdict(figures: Figures, rows: Sequence[int]) -> str:
    """Return what was promised and what came of it, for the largest tensor."""
    if servers.OURS not in {name for name, *_ in figures.served}:
        return ""
    most, lines = max(rows), ["| convscope's target | measured | met |", "|---|---|---|"]
    for concurrency in CONCURRENCIES:
        rates = {
            name: median(sample.rate for sample in figures.served[name, most, concurrency])
            for name in servers.names()
            if figures.served.get((name, most, concurrency))
        }
        share = median(s.share for s in figures.served[servers.OURS, most, concurrency])
        ours = rates.pop(servers.OURS)
        met = "yes" if share >= TARGET else "**no**"
        what = f"at least {TARGET} of the bare loop, {most} rows at {concurrency}"
        lines.append(f"| {what} | {share:.3f} | {met} |")
        if rates:
            ratio = ours / max(rates.values())
            met = "yes" if ratio >= 1 else "**no**"
            what = f"as fast as the fastest rival, {most} rows at {concurrency}"
            lines.append(f"| {what} | {ratio:.2f} of its throughput | {met} |")
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.inferring", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--rows", default=",".join(map(str, ROWS)), help="of the tensors")
    parser.add_argument("--only", default=",".join(servers.names()), help="default: %(default)s")
    parser.add_argument("--write", action="store_true", help=f"into {RESULTS.name}")
    options = parser.parse_args()
    options.rows = [int(rows) for rows in options.rows.split(",")]
    options.only = options.only.split(",")
    unknown = set(options.only) - set(servers.names())
    if unknown:
        parser.error(f"--only: there is no {', '.join(sorted(unknown))} installed")
    return options


if __name__ == "__main__":
    main()
