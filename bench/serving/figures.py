"""Medians over rounds, and ratios to the bare loop of the same round."""

from collections.abc import Iterable, Sequence
from statistics import median

from bench.serving.samples import Sample
from bench.serving.variants import PLAIN, VARIANTS, Variant
from bench.serving.workloads import ALONE


class Figures:
    """All measurements of one workload."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self.samples = tuple(samples)

    def of(self, name: str, concurrency: int | None = None) -> list[Sample]:
        """Return the samples of a server at a concurrency, or of a variant; one a round."""
        return [
            sample
            for sample in self.samples
            if sample.name == name and concurrency in (None, sample.concurrency)
        ]

    def limit(self, concurrency: int, batches: bool = False) -> Variant | None:
        """Return the variant that a server is held against: the fastest that is like it.

        A server that is asked for one thing at a time is held against a single caller, any
        other against all that classify single pictures, or `batches` of them.
        """
        alike = [variant for variant in VARIANTS if batches == (variant.batch > 1)]
        if concurrency == ALONE:
            alike = [variant for variant in alike if variant.callers == 1]
        measured = [variant for variant in alike if self.of(variant.name)]
        return max(measured, key=lambda variant: self.throughput(variant.name), default=None)

    def throughput(self, name: str, concurrency: int | None = None) -> float:
        """Return the median of requests a second."""
        return median(sample.requests_per_s for sample in self.of(name, concurrency))

    def share(
        self, name: str, concurrency: int, variant: Variant | None, left_over: bool = False
    ) -> float | None:
        """Return the throughput as a share of the variant's, by round, the median of it.

        left_over: of what the variant would have done with the processors that the load left.
        """
        if variant is None:
            return None
        return _median(
            ours.requests_per_s / bare.requests_per_s / (_left(ours) if left_over else 1)
            for ours, bare in _pairs(self.of(name, concurrency), self.of(variant.name))
        )

    def overhead_ms(self, name: str, concurrency: int) -> float | None:
        """Return the CPU-ms of a request beyond those of a bare loop without batches."""
        return _median(
            ours.cpu_ms - bare.cpu_ms
            for ours, bare in _pairs(self.of(name, concurrency), self.of(PLAIN.name))
        )

    def p99_over_p50(self, name: str, concurrency: int) -> float:
        """Return the median of the ratio."""
        return median(sample.p99_ms / sample.p50_ms for sample in self.of(name, concurrency))


def _left(sample: Sample) -> float:
    """Return the share of the processors that the load generator did not use."""
    return 1 - sample.client_cores / PLAIN.callers


def _pairs(ours: Sequence[Sample], bare: Sequence[Sample]) -> list[tuple[Sample, Sample]]:
    by_round = {sample.round: sample for sample in bare}
    return [(sample, by_round[sample.round]) for sample in ours if sample.round in by_round]


def _median(values: Iterable[float]) -> float | None:
    known = list(values)
    return median(known) if known else None
