"""GET metrics: what an operator watches, in Prometheus' format, of every process."""

import logging
from collections.abc import Iterable, Iterator
from platform import python_version

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import HistogramMetricFamily, Metric
from starlette.concurrency import run_in_threadpool

from service.api.exposition import merged
from service.api.families import gauge
from service.api.metrics import VERSION_LABELS
from service.api.siblings import Siblings
from service.api.state import PROBLEMS, State
from service.tasks.catalog import ServedModel
from service.version import VERSION

router = APIRouter(responses=PROBLEMS, tags=["Server"])

# Half of the time that Prometheus gives unless told otherwise.
_PATIENCE_S = 5.0
_logger = logging.getLogger("convscope")
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """Answer with every figure in the format that Prometheus scrapes.

    Where several processes serve, their number is the label `process`.
    """
    registry = request.app.state.convscope.metrics.registry
    text = await run_in_threadpool(generate_latest, registry)
    siblings: Siblings = request.app.state.siblings
    if siblings.concerned(request.scope):
        texts = {siblings.number: text} | await _texts_of_others(siblings, request)
        text = await run_in_threadpool(merged, dict(sorted(texts.items())))
    return Response(text, media_type=CONTENT_TYPE_LATEST)


async def _texts_of_others(siblings: Siblings, request: Request) -> dict[int, bytes]:
    answers = await siblings.ask("GET", b"/metrics", request.scope, _PATIENCE_S)
    for number, answer in answers.items():
        if answer.status != 200:
            _logger.warning("process %d does not tell its figures", number)
    return {number: answer.body for number, answer in answers.items() if answer.status == 200}


class Gauges:
    """A collector of what is read when somebody asks, not counted along the way.

    runtime: the version of ONNX Runtime.
    """

    def __init__(self, state: State, runtime: str) -> None:
        self._state = state
        self._runtime = runtime

    def collect(self) -> Iterator[Metric]:
        state = self._state
        yield gauge("in_flight", "Requests being answered.", [((), state.metrics.in_flight)])
        accepting = [((), int(state.condition.obstacle is None))]
        yield gauge("accepting", "1 unless shutting down or broken.", accepting)
        running = [((VERSION, python_version(), self._runtime), 1)]
        labels = ("version", "python", "onnxruntime")
        yield gauge("build_info", "What runs here.", running, labels)
        yield from _of_models(state)


def _of_models(state: State) -> Iterator[Metric]:
    ready = state.catalog.ready
    waiting = [(model.labels, model.queue.waiting) for model in ready]
    yield gauge("queue_depth", "Items that wait.", waiting, VERSION_LABELS)
    in_hand = [(model.labels, model.queue.in_hand) for model in ready]
    yield gauge("in_hand", "Items being prepared or run.", in_hand, VERSION_LABELS)
    states = [((*model.labels, model.manifest.task), 1) for model in ready]
    what = "1 for every version that answers."
    yield gauge("model_ready", what, states, (*VERSION_LABELS, "task"))
    refused = [((), len(state.catalog.refusals))]
    yield gauge("models_refused", "Versions that break the contract now.", refused)
    yield _batch_sizes(ready)
    chores = [((), state.chores.waiting + state.chores.in_hand)]
    yield gauge("chores", "Feature maps and the like that wait or are worked on.", chores)


def _batch_sizes(models: Iterable[ServedModel]) -> Metric:
    family = HistogramMetricFamily(
        "convscope_batch_size",
        "Items that were run together, for each batch.",
        labels=VERSION_LABELS,
    )
    for model in models:
        counts = dict(model.queue.batches)
        within = [sum(n for size, n in counts.items() if size <= limit) for limit in _SIZES]
        buckets = [(str(limit), n) for limit, n in zip(_SIZES, within, strict=True)]
        items = sum(size * n for size, n in counts.items())
        family.add_metric(model.labels, [*buckets, ("+Inf", sum(counts.values()))], items)
    return family
