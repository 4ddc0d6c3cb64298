"""A route for requests that come by the thousand."""

from collections.abc import Callable
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send


class LeanRoute(APIRoute):
    """Documented and checked like any other; without a query the endpoint is called at once.

    FastAPI's reading of parameters costs more than all else that is done for a small picture,
    and where none were sent there are none to read. The endpoint takes `request`, the
    path's parameters as text, and has defaults for the rest; it returns a Response.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **how: Any) -> None:
        super().__init__(path, endpoint, **how)
        self._general = self.app
        self.app = self._lean

    async def _lean(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["query_string"]:
            await self._general(scope, receive, send)
            return
        request = Request(scope, receive, send)
        response = await self.endpoint(request=request, **scope["path_params"])
        await response(scope, receive, send)
