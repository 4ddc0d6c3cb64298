"""Where the time of an item went, as it is told."""

from typing import Any

from service.batching import Ran
from service.tasks.timing import Timing


def timing_of(ran: Ran[Any], total_s: float) -> Timing:
    """Return the milliseconds of an item that a batcher ran."""
    return Timing(
        decode_ms=ran.prepared * 1000,
        queue_ms=ran.waited * 1000,
        compute_ms=ran.ran * 1000,
        total_ms=total_s * 1000,
        batch_size=ran.batch_size,
    )
