"""What every answer carries: the request's id, and what keeps browsers from being clever."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.request_id import HEADER, give_request_id
from service.logs import current_request

_REQUEST_ID = HEADER.encode()
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
# What a model made of somebody's picture is nothing for a cache on the way.
_OF_THE_INTERFACE = (*_ALWAYS, (b"cache-control", b"no-store"))


class AnswerHeaders:
    """Middleware, the outermost: gives the request its id and the answer its headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = give_request_id(scope)
        # Never reset: every request has a task, and so a context, of its own.
        current_request.set(scope)
        of_the_interface = scope["path"].startswith(("/v1/", "/v2/", "/hf/"))
        added = _OF_THE_INTERFACE if of_the_interface else _ALWAYS

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                # a new list, because a response may be kept and sent again
                headers = message.get("headers", ())
                message["headers"] = [*headers, (_REQUEST_ID, request_id), *added]
            await send(message)

        await self._app(scope, receive, send_with_headers)
