"""GET livez, readyz: for orchestrators and people in a hurry."""

from fastapi import APIRouter, Request, Response

from service.api.problems import MEDIA_TYPE, not_ready, respond
from service.api.request_id import request_id_of
from service.api.schemas import Live, ModelState, Problem, Ready
from service.api.state import CurrentState
from service.tasks.catalog import Catalog

router = APIRouter()


@router.get("/livez")
async def livez() -> Live:
    """Answer as long as the process can."""
    return Live()


@router.get(
    "/readyz",
    response_model=Ready,
    response_model_exclude_none=True,
    responses={503: {"model": Problem, "content": {MEDIA_TYPE: {}}}},
)
async def readyz(request: Request, state: CurrentState) -> Ready | Response:
    """Answer 200 if every model of the repository is loaded and golden, else 503 and why not."""
    models = _states(state.catalog)
    refused = [model for model in models if model.state == "refused"]
    if not refused:
        return Ready(models=models)
    detail = f"{len(refused)} of {len(models)} model versions are not ready: " + "; ".join(
        str(model.reason) for model in refused
    )
    problem = not_ready(detail, request_id_of(request.scope))
    problem.models = models
    return respond(problem)


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
    return ready + refused
