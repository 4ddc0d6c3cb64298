"""Where the time of one answer went."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one item.

    decode_ms: bytes to model input, resizing included.
    queue_ms: waiting for a free worker.
    compute_ms: the graph, for the whole batch that the item was in.
    total_ms: from the moment the bytes were there until the answer was.
    batch_size: items that were run together.
    """

    decode_ms: float
    queue_ms: float
    compute_ms: float
    total_ms: float
    batch_size: int

    def after_waiting(self, queue_ms: float) -> "Timing":
        """Return the timing of the same work when it also waited before it began."""
        return replace(self, queue_ms=queue_ms, total_ms=self.total_ms + queue_ms)
