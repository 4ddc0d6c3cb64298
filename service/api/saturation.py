"""How much is taken of what there is: threads, queues, time, memory, kept sub-models."""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import Metric

from service.api.families import counter, gauge
from service.api.metrics import VERSION_LABELS
from service.api.state import State
from service.runners import Runners


@dataclass(frozen=True)
class Given:
    """What the operator and the machine give to this process.

    device: what was asked for, `auto`, `cpu` or `cuda`.
    sees_gpu: whether an NVIDIA GPU is visible, whether or not it works.
    queue_limit: items that may wait for a model.
    memory_bytes: what the container may take, or what the machine has.
    """

    device: str
    sees_gpu: bool
    queue_limit: int
    memory_bytes: int
    runners: Runners


class Saturation:
    """A collector of these figures."""

    def __init__(self, state: State, given: Given) -> None:
        self._state = state
        self._given = given

    def collect(self) -> Iterator[Metric]:
        state, given = self._state, self._given
        ready = state.condition.obstacle is None and not state.catalog.obstacles
        yield gauge("ready", "1 if readyz answers 200.", [((), int(ready))])
        device = [((given.device, "visible" if given.sees_gpu else "none"), 1)]
        what = "The device that was asked for, and whether there is a GPU."
        yield gauge("device_info", what, device, ("device", "gpu"))
        yield gauge("runners", "Threads that decode and compute.", [((), given.runners.count)])
        yield gauge("runners_busy", "Those that are at work.", [((), given.runners.busy)])
        limit = [((), given.queue_limit)]
        yield gauge("queue_limit", "Items that may wait for a model.", limit)
        seconds = [((), state.request_timeout_ms / 1000)]
        yield gauge("request_timeout_seconds", "When an answer is given up.", seconds)
        limit = [((), given.memory_bytes)]
        yield gauge("memory_limit_bytes", "Memory that the container may take.", limit)
        yield from _of_models(state)


def _of_models(state: State) -> Iterator[Metric]:
    refusals = {(refusal.name, str(refusal.version or "")) for refusal in state.catalog.refusals}
    refused = [(refusal, 1) for refusal in sorted(refusals)]
    what = "1 for every version that breaks the contract now."
    yield gauge("model_refused", what, refused, ("model", "version"))
    ready = state.catalog.ready
    weights = [(model.labels, model.memory_bytes) for model in ready]
    yield gauge("model_memory_bytes", "What its weights take.", weights, VERSION_LABELS)
    uses = [(model.labels, model.features.prefixes) for model in ready]
    held = [(labels, use.held) for labels, use in uses]
    yield gauge("prefix_models", "Cut sub-models that are kept.", held, VERSION_LABELS)
    weight = [(labels, use.weight) for labels, use in uses]
    yield gauge("prefix_bytes", "What their weights take.", weight, VERSION_LABELS)
    asked = [(labels, use.asked) for labels, use in uses]
    yield counter("prefix_asked", "How often one was wanted.", asked, VERSION_LABELS)
    made = [(labels, use.made) for labels, use in uses]
    yield counter("prefix_made", "How often it had to be made.", made, VERSION_LABELS)
