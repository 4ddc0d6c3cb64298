"""GET /: where to go from here."""

from fastapi import APIRouter, Request

from service.api.schemas import Index
from service.api.state import PROBLEMS

router = APIRouter(responses=PROBLEMS)


@router.get("/")
async def index(request: Request) -> Index:
    """Name the server and link to what it offers."""
    return Index(
        name=request.app.title,
        version=request.app.version,
        links={
            "models": "/v1/models",
            "classify": "/v1/classify",
            "live": "/livez",
            "ready": "/readyz",
            "openapi": "/openapi.json",
        },
    )
