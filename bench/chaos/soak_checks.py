"""What of a soak is enough."""

from collections.abc import Callable

from bench.chaos.ledger import Entry, told
from bench.chaos.server import Server
from bench.chaos.soak import Soak
from bench.chaos.verdict import Check
from bench.chaos.vitals import started_at

_PHASE = "4 chaos"
_MOST_GROWTH = 0.03
# Pools keep idle threads for a while. One lost an event or a request would be dozens.
_MOST_THREADS = 3


def check_soak(seen: Soak, server: Server, started: int) -> list[Check]:
    """Return the checks. started: when the process was, as `started_at` told at first."""
    return [*_of_answers(seen), *_of_process(seen, server, started), *_of_growth(seen)]


def _of_answers(seen: Soak) -> list[Check]:
    ledger = seen.ledger
    ok = sum(entry.ok for entry in ledger.entries if entry.due >= seen.began) / seen.seconds
    seconds = f"{seen.seconds:.0f} s"
    odd = len(ledger.strangers) + ledger.unasked

    def none(what: str, fits: Callable[[Entry], bool]) -> Check:
        found = ledger.where(fits)
        return Check(_PHASE, what, told(found), "none", not found)

    return [
        Check(
            _PHASE, "goodput", f"{ok:.0f}/s for {seconds}; the good mix peaks at {seen.peak:.0f}/s"
        ),
        Check(_PHASE, "the load itself", f"stood still for {seen.stall_s * 1000:.0f} ms"),
        Check(_PHASE, "requests", f"{len(ledger.entries):,}, and {seen.leavers:,} that left"),
        none(
            "5xx but 503, 504", lambda entry: entry.status >= 500 and entry.status not in (503, 504)
        ),
        none("answers that do not fit", lambda entry: entry.status not in {0, *entry.letter.fine}),
        none("without an answer", lambda entry: not entry.status and entry.letter.named),
        none(
            "noise left hanging",
            lambda entry: entry.failure == "timeout" and not entry.letter.named,
        ),
        none("not answered exactly once", lambda entry: entry.letter.named and entry.answers != 1),
        Check(_PHASE, "answers that nobody asked for", str(odd), "0", not odd),
        Check(
            _PHASE,
            "model events not told as done",
            f"{len(seen.complaints)} of {seen.events}; {'; '.join(seen.complaints[:3]) or 'none'}",
            "none",
            not seen.complaints,
        ),
    ]


def _of_process(seen: Soak, server: Server, started: int) -> list[Check]:
    alive = server.process.poll() is None and started_at(server.process.pid) == started
    traces = server.tracebacks
    under_way = "unknown" if seen.left_over is None else str(seen.left_over or "nothing")
    return [
        Check(_PHASE, "process", "the same" if alive else "another or none", "the same", alive),
        Check(_PHASE, "under way at rest", under_way, "nothing", seen.left_over == {}),
        Check(_PHASE, "stack traces in its log", str(traces), "0", not traces),
    ]


def _of_growth(seen: Soak) -> list[Check]:
    early, late = seen.early, seen.late
    growth = late.rss_mib / early.rss_mib - 1
    busy = sorted(sample.rss_mib for sample in seen.samples)
    return [
        Check(_PHASE, "memory while busy", f"{busy[0]:.0f} to {busy[-1]:.0f} MiB"),
        Check(
            _PHASE,
            "memory at rest, after warm-up and at the end",
            f"{early.rss_mib:.1f} to {late.rss_mib:.1f} MiB, {growth:+.1%}",
            f"< {_MOST_GROWTH:.0%}",
            growth < _MOST_GROWTH,
        ),
        Check(
            _PHASE,
            "threads, likewise",
            f"{early.threads:.0f} to {late.threads:.0f}",
            f"at most {_MOST_THREADS} more",
            late.threads - early.threads <= _MOST_THREADS,
        ),
        Check(
            _PHASE,
            "open files, likewise",
            f"{early.files:.0f} to {late.files:.0f}",
            "no more",
            late.files <= early.files,
        ),
    ]
