"""Which promises were kept."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.serving.figures import Figures
from bench.serving.workloads import ALONE, CONCURRENCIES, Workload

_US, _TUTORIAL = "convscope", "tutorial"


@dataclass(frozen=True)
class Verdict:
    """A promise, what was measured, and whether that keeps it; None: not measured."""

    promise: str
    measured: str
    kept: bool | None


def judge(workload: Workload, figures: Figures) -> list[Verdict]:
    """Return a verdict on each of the workload's targets."""
    if not figures.of(_US):
        return []
    return [
        *_shares(workload, figures),
        *_alone(workload, figures),
        *_overheads(workload, figures),
    ]


def _shares(workload: Workload, figures: Figures) -> Iterator[Verdict]:
    for concurrency, least in workload.targets.of_bare_loop.items():
        share = figures.share(_US, concurrency, figures.limit(concurrency))
        promise = f"at least {least:.2f} of the bare loop's throughput at {concurrency}"
        yield _verdict(promise, share, "{:.3f}", share is not None and share >= least)


def _alone(workload: Workload, figures: Figures) -> Iterator[Verdict]:
    targets = workload.targets
    if targets.p99_over_p50 is not None:
        ratio = figures.p99_over_p50(_US, ALONE)
        promise = f"p99 at most {targets.p99_over_p50} x p50 at {ALONE}"
        yield _verdict(promise, ratio, "{:.2f} x", ratio <= targets.p99_over_p50)
    if targets.beats_tutorial:
        speedup = None
        if figures.of(_TUTORIAL, ALONE):
            speedup = figures.throughput(_US, ALONE) / figures.throughput(_TUTORIAL, ALONE)
        promise = f"as fast as the tutorial at {ALONE}"
        kept = speedup is not None and speedup >= 1
        yield _verdict(promise, speedup, "{:.2f} of its throughput", kept)


def _overheads(workload: Workload, figures: Figures) -> Iterator[Verdict]:
    most = workload.targets.overhead_ms
    for concurrency in CONCURRENCIES:
        if concurrency != ALONE:  # alone, more threads work on a run, which costs by itself
            overhead = figures.overhead_ms(_US, concurrency)
            promise = f"at most {most:.2f} CPU-ms a request over the bare loop at {concurrency}"
            yield _verdict(promise, overhead, "{:.3f}", overhead is not None and overhead <= most)


def _verdict(promise: str, value: float | None, how: str, kept: bool) -> Verdict:
    if value is None:
        return Verdict(promise, "not measured", None)
    return Verdict(promise, how.format(value), kept)
