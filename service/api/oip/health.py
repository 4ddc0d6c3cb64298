"""GET v2/health: the Open Inference Protocol's questions of orchestrators and gateways."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from service.api.health import obstacle_to
from service.api.path import path_of
from service.api.problems import not_ready, respond
from service.api.request_id import request_id_of
from service.api.state import PROBLEMS, CurrentState

router = APIRouter(responses=PROBLEMS, tags=["Open Inference Protocol"])


class ServerLive(BaseModel):
    """The process answers."""

    live: Literal[True] = True


class ServerReady(BaseModel):
    """Nothing stands between this server and requests."""

    ready: Literal[True] = True


@router.get("/v2/health/live")
async def server_live() -> ServerLive:
    """Answer as long as the process can."""
    return ServerLive()


@router.get("/v2/health/ready", response_model=ServerReady)
async def server_ready(request: Request, state: CurrentState) -> ServerReady | Response:
    """Answer 200 where /readyz does, else 503 and why not."""
    obstacle = obstacle_to(state)
    if obstacle is None:
        return ServerReady()
    return respond(not_ready(obstacle, request_id_of(request.scope)), path_of(request.scope))
