"""A line in the log for every request, once it is answered."""

import logging
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.noted import noted
from service.logs import path_of

_logger = logging.getLogger("convscope.access")


class AccessLog:
    """Middleware that logs method, path, status, duration and, where one answered, the model."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        status = 500  # what the server answers where nothing else does

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        finally:
            _log(scope, status, (perf_counter() - began) * 1000)


def _log(scope: Scope, status: int, duration_ms: float) -> None:
    answered_by = noted(scope)
    fields = {
        "status": status,
        "duration_ms": round(duration_ms, 1),
        "model": answered_by and f"{answered_by.model}/{answered_by.version}",
    }
    line = "%s %s %d in %.1f ms"
    _logger.info(
        line, scope["method"], path_of(scope), status, duration_ms, extra={"fields": fields}
    )
