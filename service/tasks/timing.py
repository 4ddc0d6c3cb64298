"""Where the time of one answer went."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one item.

    decode_ms: bytes to model input, resizing included.
    queue_ms: waiting for a free runner, or for the rest of the batch.
    compute_ms: the graph, for the whole batch that the item was in.
    total_ms: from the moment the bytes were there until the answer was.
    batch_size: items that were run together.
    """

    decode_ms: float
    queue_ms: float
    compute_ms: float
    total_ms: float
    batch_size: int
