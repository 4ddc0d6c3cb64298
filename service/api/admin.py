"""POST load, unload, rescan: change what is served; for those with an admin key."""

from contextlib import AbstractAsyncContextManager
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from service.api.keys import require_admin
from service.api.models import describe
from service.api.schemas import ChangesOut
from service.api.siblings import Siblings
from service.api.state import PROBLEMS, CurrentState, State
from service.live import Changes

router = APIRouter(responses=PROBLEMS, dependencies=[Depends(require_admin)], tags=["Models"])

Version = Annotated[
    int | None, Query(ge=1, le=10**9, description="Only that version; unset, the whole model.")
]


@router.post("/v1/models:rescan")
async def rescan(request: Request, state: CurrentState) -> ChangesOut:
    """Load what is new or changed in the repository, and let go what is gone."""
    async with in_step(request):
        changes = await state.live.rescan()
    return _told(changes, state, state.catalog.names)


@router.post("/v1/models/{name}/load")
async def load(
    request: Request, name: str, state: CurrentState, version: Version = None
) -> ChangesOut:
    """Load a model, or that version of it, if it is not served as it lies in the repository."""
    async with in_step(request):
        changes = await state.live.load(name, version)
    return _told(changes, state, [name])


@router.post("/v1/models/{name}/unload")
async def unload(
    request: Request, name: str, state: CurrentState, version: Version = None
) -> ChangesOut:
    """Let a model, or that version of it, finish what it has accepted, and then go."""
    async with in_step(request):
        changes = await state.live.unload(name, version)
    return _told(changes, state, [name])


def in_step(request: Request) -> AbstractAsyncContextManager[None]:
    """Have the other processes do what the request asks for, too; see `Siblings.in_step`."""
    siblings: Siblings = request.app.state.siblings
    return siblings.in_step(request.scope)


def _told(changes: Changes, state: State, names: list[str]) -> ChangesOut:
    infos = [describe(name, state.catalog) for name in names]
    return ChangesOut(**changes._asdict(), models=infos)
