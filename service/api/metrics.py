"""Counts what is answered and where its time goes, for Prometheus.

Labels come only from what is served, never from what was asked for, so nobody outside can
make their number grow.
"""

from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.condition import Condition
from service.api.failures import note_failure
from service.api.noted import noted
from service.tasks.catalog import Labels, ServedModel
from service.tasks.timing import Timing

VERSION_LABELS = ("model", "version", "execution_provider")
# From a tiny net on a fast machine to hours of sound, about 2.2 times a step. 15 is half of the
# deadline unless that is set: the alert ConvscopeSlow asks which share of the items took longer.
_SECONDS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15),
    *(30, 60, 150, 300, 600),
)
_PARTS = {
    "decode": "Bytes to model input, resizing included.",
    "queue": "Waiting for a free runner, or for the rest of the batch.",
    "compute": "The graph, for the whole batch that the item was in.",
    "total": "From the moment the bytes were there until the answer was.",
}


class Metrics:
    """The counters of one application. in_flight: requests being answered now."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.in_flight = 0
        self._requests = Counter(
            "convscope_requests",
            "Requests that were answered.",
            ("task", "model", "version", "code"),
            registry=self.registry,
        )
        self._parts = [
            Histogram(
                f"convscope_{part}_seconds",
                what,
                VERSION_LABELS,
                buckets=_SECONDS,
                registry=self.registry,
            )
            for part, what in _PARTS.items()
        ]
        self._sound = Counter(
            "convscope_sound_seconds",
            "Length of the sounds that were answered.",
            VERSION_LABELS,
            registry=self.registry,
        )
        self._parts_of: dict[Labels, list[Histogram]] = {}
        self._counted: dict[tuple[str, ...], Counter] = {}
        ProcessCollector(registry=self.registry)

    def observe_item(self, model: ServedModel, timing: Timing) -> None:
        """Note where the time of one item went."""
        values = (timing.decode_ms, timing.queue_ms, timing.compute_ms, timing.total_ms)
        labels = model.labels
        parts = self._parts_of.get(labels)
        if parts is None:  # looking series up costs more than adding to them
            parts = self._parts_of[labels] = [part.labels(*labels) for part in self._parts]
        for histogram, milliseconds in zip(parts, values, strict=True):
            histogram.observe(milliseconds / 1000)
        model.tally.add(timing)

    def observe_sound(self, model: ServedModel, seconds: float) -> None:
        """Note how long the sound was that an item was made of."""
        self._sound.labels(*model.labels).inc(seconds)

    def count(self, scope: Scope, status: int, seconds: float) -> None:
        """Note that a request was answered, so long after it came."""
        by = noted(scope)
        version = (by.model, str(by.version)) if by else ("", "")
        task = _task(scope)
        labels = (task, *version, str(status))
        counter = self._counted.get(labels)
        if counter is None:
            counter = self._counted[labels] = self._requests.labels(*labels)
        counter.inc()
        if status >= 400:
            note_failure(scope, task, seconds)


def _task(scope: Scope) -> str:
    """Return what was asked for, as the last word of the route's pattern; none if no route fits."""
    pattern: str = getattr(scope.get("route"), "path", "none")
    if pattern == "/hf/{name}":
        return "hf"
    return pattern.rpartition("/")[2] or "index"


class Meter:
    """Middleware that counts requests by how they were answered.

    While the process drains, answers ask their clients to connect again, elsewhere.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, condition: Condition) -> None:
        self._app = app
        self._metrics = metrics
        self._condition = condition

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        status = 500  # what the server answers where nothing else does

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self._condition.draining:
                    message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        self._metrics.in_flight += 1
        try:
            await self._app(scope, receive, send_noting)
        finally:
            self._metrics.in_flight -= 1
            self._metrics.count(scope, status, perf_counter() - began)
