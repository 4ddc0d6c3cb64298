"""GET v2/models/stats: what models answered, whatever route they were asked by."""

import logging
from collections.abc import Iterable

from fastapi import APIRouter, Request

from service.api.oip.asked import Version, find
from service.api.oip.statistics_schema import (
    BatchStats,
    Duration,
    InferenceStats,
    ModelStats,
    Statistics,
)
from service.api.siblings import Siblings
from service.api.state import PROBLEMS, CurrentState
from service.tasks.catalog import ServedModel
from service.tasks.tally import Spent

router = APIRouter(responses=PROBLEMS, tags=["Open Inference Protocol"])

_PATIENCE_S = 5.0
_NS_PER_MS = 1e6
_logger = logging.getLogger("convscope")


@router.get("/v2/models/stats")
async def all_statistics(request: Request, state: CurrentState) -> Statistics:
    """Tell what every version that is ready has answered since it was loaded, and how fast."""
    return await _told(state.catalog.ready, request)


@router.get("/v2/models/{name}/stats")
async def model_statistics(name: str, request: Request, state: CurrentState) -> Statistics:
    """Tell what the ready versions of a model have answered since they were loaded."""
    find(state.catalog, name)
    return await _told(state.catalog.versions(name), request)


@router.get("/v2/models/{name}/versions/{version}/stats")
async def version_statistics(
    name: str, version: Version, request: Request, state: CurrentState
) -> Statistics:
    """Tell what one version has answered since it was loaded."""
    return await _told([find(state.catalog, name, version)], request)


async def _told(models: Iterable[ServedModel], request: Request) -> Statistics:
    """Return the figures of the versions, of all processes together."""
    found = [stats_of(model) for model in models]
    siblings: Siblings = request.app.state.siblings
    if siblings.concerned(request.scope):
        target = request.scope["raw_path"] + b"?" + request.scope["query_string"]
        answers = await siblings.ask("GET", target, request.scope, _PATIENCE_S)
        for number, answer in answers.items():
            if answer.status == 200:
                found += Statistics.model_validate_json(answer.body).model_stats
            else:
                _logger.warning("process %d does not tell its statistics", number)
    together: dict[tuple[str, int], ModelStats] = {}
    for stats in found:
        key = stats.name, int(stats.version)
        together[key] = together[key] + stats if key in together else stats
    return Statistics(model_stats=[together[key] for key in sorted(together)])


def stats_of(model: ServedModel) -> ModelStats:
    """Return what this process knows of the version."""
    batches, tally = dict(model.queue.batches), model.tally
    spent = tally.by_batch_size.values()
    answered = sum(each.items for each in spent)
    return ModelStats(
        name=model.manifest.name,
        version=str(model.manifest.version),
        last_inference=round(tally.last_s * 1000),
        inference_count=sum(size * count for size, count in batches.items()),
        execution_count=sum(batches.values()),
        inference_stats=InferenceStats(
            success=_duration(answered, sum(each.total_ms for each in spent)),
            fail=_duration(tally.failed, tally.failed_ms),
            queue=_duration(answered, sum(each.queue_ms for each in spent)),
            compute_input=_duration(answered, sum(each.decode_ms for each in spent)),
            compute_infer=_duration(answered, sum(each.compute_ms for each in spent)),
            compute_output=Duration(count=answered),
        ),
        batch_stats=[
            _batches(size, batches[size], tally.by_batch_size.get(size) or Spent())
            for size in sorted(batches)
        ],
    )


def _batches(size: int, count: int, spent: Spent) -> BatchStats:
    """Return the times of `count` batches; each item noted the time of the one it was in."""
    mean_ms = spent.compute_ms / max(1, spent.items)
    return BatchStats(
        batch_size=size,
        compute_input=_duration(count, spent.decode_ms),
        compute_infer=_duration(count, mean_ms * count),
        compute_output=Duration(count=count),
    )


def _duration(count: int, milliseconds: float) -> Duration:
    return Duration(count=count, ns=round(milliseconds * _NS_PER_MS))
