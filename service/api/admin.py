"""POST load, unload, rescan: change what is served; for those with an admin key."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from service.api.keys import require_admin
from service.api.models import describe
from service.api.schemas import ChangesOut
from service.api.state import PROBLEMS, CurrentState, State
from service.live import Changes

router = APIRouter(responses=PROBLEMS, dependencies=[Depends(require_admin)])

Version = Annotated[
    int | None, Query(ge=1, le=10**9, description="Only that version; unset, the whole model.")
]


@router.post("/v1/models:rescan")
async def rescan(state: CurrentState) -> ChangesOut:
    """Load what is new or changed in the repository, and let go what is gone."""
    changes = await state.live.rescan()
    return _told(changes, state, state.catalog.names)


@router.post("/v1/models/{name}/load")
async def load(name: str, state: CurrentState, version: Version = None) -> ChangesOut:
    """Load a model, or that version of it, if it is not served as it lies in the repository."""
    return _told(await state.live.load(name, version), state, [name])


@router.post("/v1/models/{name}/unload")
async def unload(name: str, state: CurrentState, version: Version = None) -> ChangesOut:
    """Let a model, or that version of it, finish what it has accepted, and then go."""
    return _told(await state.live.unload(name, version), state, [name])


def _told(changes: Changes, state: State, names: list[str]) -> ChangesOut:
    infos = [describe(name, state.catalog) for name in names]
    return ChangesOut(**changes._asdict(), models=infos)
