"""Counts what became of the requests that were due while it was measured."""

from array import array
from collections import Counter

import orjson

from service.load.failure import Failure

_KEY = b'"timing"'


class Timing:
    """What the server says of its own time, summed over answers. decode, queue, compute: ms."""

    def __init__(self) -> None:
        self.answers = 0
        self.decode_ms = self.queue_ms = self.compute_ms = 0.0
        self.seen_s = 0.0
        """Seconds that the client waited for the same answers."""
        self.batches = 0.0
        """How many batches these answers are: one of a batch of four is a quarter."""

    def add(self, body: bytes, seen_s: float) -> None:
        """Add an answer; one that has no timing is passed over."""
        start = body.rfind(_KEY)
        if start < 0:
            return
        begin = body.find(b"{", start)
        end = body.find(b"}", begin) + 1
        try:
            # only this object: answers may be long, and the machine's time is not ours
            timing = orjson.loads(body[begin:end])
            decode_ms, queue_ms = float(timing["decode_ms"]), float(timing["queue_ms"])
            compute_ms, batch_size = float(timing["compute_ms"]), int(timing["batch_size"])
            self.batches += 1 / batch_size
        except (ValueError, KeyError, TypeError, ZeroDivisionError):
            return
        self.decode_ms += decode_ms
        self.queue_ms += queue_ms
        self.compute_ms += compute_ms
        self.seen_s += seen_s
        self.answers += 1


class Tally:
    """Requests count if they were due in begin <= since < end, whenever they are answered.

    begin, end: seconds of `time.perf_counter`. `end` may be brought forward.
    """

    def __init__(self, begin: float, end: float) -> None:
        self.begin = begin
        self.end = end
        self.ok_in_window = 0
        """Good answers that came in the window, to whichever request: what throughput is."""
        self.statuses: Counter[int] = Counter()
        self.errors: Counter[Failure] = Counter()
        self.ok_s = array("d")
        self.refused_s = array("d")
        self.timing = Timing()
        self.refusal: tuple[int, bytes] | None = None

    def answered(self, since: float, now: float, status: int, body: bytes) -> None:
        """Count an answer, 2xx as good and any other as a refusal."""
        ok = 200 <= status < 300
        if ok and self.begin <= now < self.end:
            self.ok_in_window += 1
        if not self.begin <= since < self.end:
            return
        self.statuses[status] += 1
        if ok:
            self.ok_s.append(now - since)
            self.timing.add(body, now - since)
        else:
            self.refused_s.append(now - since)
            self.refusal = (status, body)

    def failed(self, since: float, kind: Failure) -> None:
        """Count a request that will never be answered."""
        if self.begin <= since < self.end:
            self.errors[kind] += 1
