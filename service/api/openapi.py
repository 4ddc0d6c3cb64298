"""GET /openapi.json: the interface, described for machines; made when somebody asks for it."""

import orjson
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """Answer with the OpenAPI document of this server."""
    state = request.app.state
    if state.description is None:
        state.description = await run_in_threadpool(_written, request)
    return Response(state.description, media_type="application/json")


def _written(request: Request) -> bytes:
    from service.api.description.document import describe  # most servers are never asked

    return orjson.dumps(describe(request.app))
