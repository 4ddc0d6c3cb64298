"""What of a soak is enough."""

from collections.abc import Callable

from bench.chaos.ledger import Entry, told
from bench.chaos.server import Server
from bench.chaos.soak import Soak
from bench.chaos.verdict import Check
from bench.chaos.vitals import Vitals, medians, started_at

_PHASE = "4 chaos"
# Memory at the end of the warm-up is held against memory at the end: the median of the samples
# in the tenth of the time that follows the warm-up, and in the last tenth.
_WARM, _WINDOW = 0.2, 0.1
_MOST_GROWTH = 0.03


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
    under_way = "unknown" if seen.left_over is None else str(seen.left_over or "nothing")
    return [
        Check(_PHASE, "process", "the same" if alive else "another or none", "the same", alive),
        Check(_PHASE, "under way at rest", under_way, "nothing", seen.left_over == {}),
        Check(
            _PHASE,
            "stack traces in its log",
            str(server.tracebacks),
            "0",
            not server.tracebacks,
        ),
    ]


def _of_growth(seen: Soak) -> list[Check]:
    early, late = _window(seen, _WARM), _window(seen, 1 - _WINDOW)
    growth = late.rss_mib / early.rss_mib - 1
    return [
        Check(
            _PHASE,
            "memory, after warm-up to end",
            f"{early.rss_mib:.1f} to {late.rss_mib:.1f} MiB, {growth:+.1%}",
            f"< {_MOST_GROWTH:.0%}",
            growth < _MOST_GROWTH,
        ),
        Check(
            _PHASE, "memory at rest", f"{seen.before.rss_mib:.1f} to {seen.after.rss_mib:.1f} MiB"
        ),
        Check(
            _PHASE,
            "threads, after warm-up to end",
            f"{early.threads:.0f} to {late.threads:.0f}",
            "no more",
            late.threads <= early.threads,
        ),
        Check(
            _PHASE,
            "open files at rest",
            f"{seen.before.files:.0f} to {seen.after.files:.0f}",
            "no more",
            seen.after.files <= seen.before.files,
        ),
    ]


def _window(seen: Soak, begin: float) -> Vitals:
    """Return the medians of the samples of a tenth of the time. begin: in 0..1 of it."""
    first = seen.began + begin * seen.seconds
    last = first + _WINDOW * seen.seconds
    return medians([sample for sample in seen.samples if first <= sample.at <= last])
