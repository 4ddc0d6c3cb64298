"""What one version has answered since it was loaded, and where the time of that went."""

from time import time

from service.tasks.timing import Timing


class Spent:
    """The milliseconds of items that were run in batches of one size, added up."""

    __slots__ = ("compute_ms", "decode_ms", "items", "queue_ms", "total_ms")

    def __init__(self) -> None:
        self.items = 0
        self.decode_ms = 0.0
        self.queue_ms = 0.0
        self.compute_ms = 0.0
        self.total_ms = 0.0


class Tally:
    """Counts on the event loop; read it there too.

    by_batch_size: of the items that were answered.
    failed: requests that were answered with an error, and `failed_ms` what they took.
    last_s: when an item was answered last, in seconds since 1970; 0 if none was.
    """

    __slots__ = ("by_batch_size", "failed", "failed_ms", "last_s")

    def __init__(self) -> None:
        self.by_batch_size: dict[int, Spent] = {}
        self.failed = 0
        self.failed_ms = 0.0
        self.last_s = 0.0

    def add(self, timing: Timing) -> None:
        """Note an item that was answered."""
        spent = self.by_batch_size.get(timing.batch_size)
        if spent is None:
            spent = self.by_batch_size[timing.batch_size] = Spent()
        spent.items += 1
        spent.decode_ms += timing.decode_ms
        spent.queue_ms += timing.queue_ms
        spent.compute_ms += timing.compute_ms
        spent.total_ms += timing.total_ms
        self.last_s = time()

    def fail(self, milliseconds: float) -> None:
        """Note a request that was answered with an error."""
        self.failed += 1
        self.failed_ms += milliseconds
