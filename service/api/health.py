"""GET livez, readyz: for orchestrators and people in a hurry."""

from fastapi import APIRouter, Request, Response

from service.api.problems import not_ready, respond
from service.api.request_id import request_id_of
from service.api.schemas import Live, ModelState, Ready
from service.api.state import PROBLEMS, CurrentState, State
from service.tasks.catalog import Catalog

router = APIRouter(responses=PROBLEMS, tags=["Server"])


@router.get("/livez")
async def livez() -> Live:
    """Answer as long as the process can."""
    return Live()


@router.get(
    "/readyz",
    response_model=Ready,
    response_model_exclude_none=True,
)
async def readyz(request: Request, state: CurrentState) -> Ready | Response:
    """Answer 200 if all that was wanted at the start is loaded and golden, else 503 and why not.

    What was refused later does not count as long as its model goes on being served.
    """
    obstacle = obstacle_to(state)
    if obstacle is None:
        return Ready(models=_states(state.catalog))
    problem = not_ready(obstacle, request_id_of(request.scope))
    if obstacle != state.condition.obstacle:
        problem.models = _states(state.catalog)
    return respond(problem)


def obstacle_to(state: State) -> str | None:
    """Return what stands between this server and requests, as a sentence, or None."""
    if state.condition.obstacle or not state.catalog.obstacles:
        return state.condition.obstacle
    return f"Not all that is wanted is ready: {'; '.join(state.catalog.obstacles)}."


def _states(catalog: Catalog) -> list[ModelState]:
    ready = [
        ModelState(
            name=name,
            version=model.manifest.version,
            state="ready",
            execution_provider=model.execution_provider,
        )
        for name in catalog.names
        for model in catalog.versions(name)
    ]
    refused = [
        ModelState(
            name=refusal.name,
            version=refusal.version,
            state="refused",
            reason=f"{refusal.file}: {refusal.reason}",
        )
        for refusal in catalog.refusals
    ]
    unloaded = [
        ModelState(name=rest.name, version=rest.version, state="unloaded", reason=rest.reason)
        for rest in catalog.not_loaded
    ]
    return ready + refused + unloaded
