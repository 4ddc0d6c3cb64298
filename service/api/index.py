"""GET /: where to go from here; browsers get the page."""

from fastapi import APIRouter, Request, Response

from service.api.page import HTML, page, wants_page
from service.api.schemas import Index
from service.api.state import PROBLEMS

router = APIRouter(responses=PROBLEMS, tags=["Server"])


@router.get("/", response_model=Index, responses={200: {"content": {HTML: {}}}})
async def index(request: Request, response: Response) -> Index | Response:
    """Name the server and link to what it offers; browsers get the page."""
    if wants_page(request.scope):
        return page(request)
    response.headers["vary"] = "accept"
    return Index(
        name=request.app.title,
        version=request.app.version,
        links={
            "models": "/v1/models",
            "classify": "/v1/classify",
            "live": "/livez",
            "ready": "/readyz",
            "openapi": "/openapi.json",
            "docs": "/docs",
        },
    )
