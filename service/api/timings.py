"""Where the time of an item went, as it is told."""

from typing import Any

from service.tasks.timing import Timing
from service.ticket import Ran


def timing_of(ran: Ran[Any], total_s: float, late_s: float = 0.0) -> Timing:
    """Return the milliseconds of an item that a batcher ran.

    late_s: seconds of decoding that were part of its run, as for what is too large to wait decoded.
    """
    return Timing(
        decode_ms=(ran.prepared + late_s) * 1000,
        queue_ms=ran.waited * 1000,
        compute_ms=(ran.ran - late_s) * 1000,
        total_ms=total_s * 1000,
        batch_size=ran.batch_size,
    )


def timing_out(timing: Timing) -> dict[str, float]:
    """Return the timing as TimingOut has it."""
    return {
        "decode_ms": round(timing.decode_ms, 3),
        "queue_ms": round(timing.queue_ms, 3),
        "compute_ms": round(timing.compute_ms, 3),
        "total_ms": round(timing.total_ms, 3),
        "batch_size": timing.batch_size,
    }
