"""The figures of a run."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from service.load.answer import Answer
from service.load.failure import SENTENCES, Failure
from service.load.job import Job
from service.load.tally import Tally, Timing

_PER_MILLE = {"p50": 500, "p90": 900, "p99": 990, "p99.9": 999}


@dataclass(frozen=True)
class Report:
    """What became of the requests that were due in the measured window, warm-up excluded.

    sent: all that were due. Those that waited for a free connection until their time was over
        are among them, as timeouts. Always the sum of `statuses` and `errors`.
    ok: answers with a status of 2xx.
    throughput: good answers that came in the window, a second.
    latency_ms: of good answers, from when the request was due: p50, p90, p99, p99.9, max, mean.
    refused_latency_ms: the same of all other answers.
    time_share: of the time that clients waited for good answers, by what the server said of it:
        decode, queue, compute; the rest is network, HTTP and waiting for a connection.
    mean_batch_size: over the batches that were run, not over the requests in them.
    connections: how many were opened, warm-up included.
    client_cpu_s: processor time of this process in the window.
    refusal: the last answer that was not good, in words.
    """

    url: str
    concurrency: int
    rate: float | None
    duration_s: float
    sent: int
    ok: int
    statuses: dict[str, int]
    errors: dict[Failure, int]
    throughput: float
    latency_ms: dict[str, float] | None
    refused_latency_ms: dict[str, float] | None
    time_share: dict[str, float] | None
    mean_batch_size: float | None
    connections: int
    client_cpu_s: float
    ended_early: bool
    refusal: str | None

    def as_json(self) -> dict[str, Any]:
        """Return the fields, for a JSON object."""
        return asdict(self)

    def why_nothing(self) -> str:
        """Return why no answer was good, as a sentence."""
        if self.refusal:
            return f"No answer was good. The last one was {self.refusal}"
        if self.errors:
            kind = max(self.errors, key=lambda kind: self.errors[kind])
            return f"Nothing was answered: {SENTENCES[kind]}."
        return "Nothing was due in the time that was measured."


def report_of(
    job: Job, tally: Tally, connections: int, client_cpu_s: float, ended_early: bool
) -> Report:
    """Return the figures of a run that is over."""
    duration_s = max(0.0, tally.end - tally.begin)
    return Report(
        url=job.target.url,
        concurrency=job.concurrency,
        rate=job.rate,
        duration_s=round(duration_s, 6),
        sent=tally.statuses.total() + tally.errors.total(),
        ok=len(tally.ok_s),
        statuses={str(status): n for status, n in sorted(tally.statuses.items())},
        errors=dict(tally.errors.most_common()),
        throughput=round(tally.ok_in_window / duration_s, 3) if duration_s else 0.0,
        latency_ms=latency_ms(tally.ok_s),
        refused_latency_ms=latency_ms(tally.refused_s),
        time_share=time_share(tally.timing),
        mean_batch_size=_mean_batch_size(tally.timing),
        connections=connections,
        client_cpu_s=round(client_cpu_s, 6),
        ended_early=ended_early,
        refusal=str(Answer(*tally.refusal)) if tally.refusal else None,
    )


def latency_ms(latencies_s: Sequence[float]) -> dict[str, float] | None:
    """Return percentiles, maximum and mean in milliseconds; none of nothing.

    A percentile is the nearest rank: a latency that really occurred, nothing in between.

    >>> latency_ms([0.004, 0.001, 0.002, 0.003])
    {'p50': 2.0, 'p90': 4.0, 'p99': 4.0, 'p99.9': 4.0, 'max': 4.0, 'mean': 2.5}
    """
    if not latencies_s:
        return None
    ordered = sorted(latencies_s)
    # in whole numbers, since 0.07 * 100 is more than 7
    ranks = {name: -(-per_mille * len(ordered) // 1000) for name, per_mille in _PER_MILLE.items()}
    figures = {name: ordered[rank - 1] for name, rank in ranks.items()}
    figures |= {"max": ordered[-1], "mean": sum(ordered) / len(ordered)}
    return {name: round(seconds * 1000, 3) for name, seconds in figures.items()}


def time_share(timing: Timing) -> dict[str, float] | None:
    """Return which part of the waiting went where, each in 0..1; none without timing."""
    seen_ms = timing.seen_s * 1000
    if not seen_ms:
        return None
    known = {"decode": timing.decode_ms, "queue": timing.queue_ms, "compute": timing.compute_ms}
    parts = {**known, "rest": seen_ms - sum(known.values())}
    return {name: round(ms / seen_ms, 4) for name, ms in parts.items()}


def _mean_batch_size(timing: Timing) -> float | None:
    return round(timing.answers / timing.batches, 3) if timing.answers else None
