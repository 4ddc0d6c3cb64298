"""All that defines a run."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

from service.load.target import Target


@dataclass(frozen=True)
class Job:
    """What is sent where, how, and for how long.

    bodies: sent in turn, in an order that the seed decides.
    concurrency: connections; with a rate, the most there may be.
    warmup_s: sent before, and not measured.
    timeout_s: how long after it was due a request is given up.
    rate: requests a second, at times that do not depend on the answers. None: each connection
        sends its next request when the former is answered.
    Raises: ValueError.
    """

    target: Target
    bodies: Sequence[bytes]
    concurrency: int
    duration_s: float
    warmup_s: float = 1.0
    timeout_s: float = 30.0
    rate: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.bodies:
            raise ValueError("There is no body to send.")
        if self.concurrency < 1:
            raise ValueError(f"concurrency is {self.concurrency}; it must be at least 1.")
        if self.warmup_s < 0:
            raise ValueError(f"warmup_s is {self.warmup_s}; it must not be negative.")
        for name in ("duration_s", "timeout_s", "rate"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} is {value}; it must be above 0.")

    def requests(self) -> Iterator[bytes]:
        """Return the requests without end."""
        written = [self.target.request(body) for body in self.bodies]
        random.Random(self.seed).shuffle(written)
        return cycle(written)
