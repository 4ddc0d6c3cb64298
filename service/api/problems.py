"""Every error as application/problem+json (RFC 9457); the one place that gives them statuses.

Below the paths of other protocols an error has the shape that their clients read.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.path import path_of
from service.api.request_id import request_id_of
from service.api.schemas import ParameterError, Problem
from service.contract.errors import (
    CannotLoad,
    ConvscopeError,
    DeadlineExceeded,
    DeviceFault,
    EmptyInput,
    Forbidden,
    HeadTooLarge,
    InputError,
    InvalidAudio,
    InvalidImage,
    InvalidParameter,
    ModelNotReady,
    NotEverywhere,
    NotOffered,
    NotServed,
    Overloaded,
    SetupError,
    SlowRequest,
    TooLarge,
    Unauthorized,
    UnsupportedMedia,
    WrongTask,
    slug_of,
)

STATUS: dict[type[ConvscopeError], int] = {
    InputError: 400,
    EmptyInput: 400,
    TooLarge: 413,
    HeadTooLarge: 431,
    SlowRequest: 408,
    UnsupportedMedia: 415,
    InvalidImage: 422,
    InvalidAudio: 422,
    InvalidParameter: 422,
    WrongTask: 422,
    NotServed: 404,
    NotOffered: 404,
    ModelNotReady: 503,
    # nothing is wrong with the request, but with what it finds here
    CannotLoad: 409,
    NotEverywhere: 503,
    SetupError: 503,
    Unauthorized: 401,
    Forbidden: 403,
    Overloaded: 503,
    DeviceFault: 503,
    DeadlineExceeded: 504,
}
MEDIA_TYPE = "application/problem+json"
# Clients of the Open Inference Protocol and of Hugging Face read {"error": "..."} and nothing else.
FOREIGN = re.compile(r"/(v2|hf)(/|$)")
_logger = logging.getLogger("convscope")


def problem_of(error: Exception, request_id: str) -> Problem:
    """Return what the client is told: for an error that is not ours, nothing of its text."""
    known = [STATUS[kind] for kind in type(error).__mro__ if kind in STATUS]
    if not known:
        _logger.error("request %s failed", request_id, exc_info=error)
        detail = f"Something went wrong here; the server's log has it under {request_id}."
        return _problem("internal-error", 500, detail, request_id, "Internal error")
    problem = _problem(slug_of(type(error)), known[0], str(error), request_id)
    if isinstance(error, NotServed):
        problem.nearest = list(error.nearest)
    return problem


def not_ready(detail: str, request_id: str) -> Problem:
    """Return the problem of a server that must not get requests yet."""
    return _problem("not-ready", 503, detail, request_id)


def answer_to(error: ConvscopeError, request_id: str, path: str = "") -> Response:
    """Return the answer to a request that failed so, with what the client is to do next."""
    return respond(problem_of(error, request_id), path, _advice(error))


def respond(problem: Problem, path: str = "", headers: Mapping[str, str] | None = None) -> Response:
    """Return the problem as an answer; a 401 says how to do better (RFC 9110, 11.6.1).

    path: of the request, by which the shape is chosen; empty where it is not known.
    """
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers = {**(headers or {}), "www-authenticate": "Bearer"}
    if FOREIGN.match(path):
        told = orjson.dumps({"error": problem.detail})
        return Response(told, problem.status, headers, media_type="application/json")
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, problem.status, headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every error of the application a problem."""
    app.add_middleware(LastResort)
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)


async def handle(request: Request, error: Exception) -> Response:
    """Return the answer to a request that failed so; raises the error if nobody foresaw it."""
    for kind in type(error).__mro__:
        if kind in _HANDLERS:
            return await _HANDLERS[kind](request, error)
    raise error


class LastResort:
    """Middleware that answers what nobody foresaw with a plain 500; the log gets the trace."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except Exception as error:
            if scope["type"] != "http" or started:
                raise
            problem = problem_of(error, request_id_of(scope))
            await respond(problem, path_of(scope))(scope, receive, send)


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ConvscopeError)
    return answer_to(error, request_id_of(request.scope), path_of(request.scope))


def _advice(error: ConvscopeError) -> dict[str, str]:
    if isinstance(error, Overloaded):
        return {"retry-after": str(error.retry_after_s)}
    if isinstance(error, SlowRequest):
        return {"connection": "close"}  # the rest of it is not waited for either
    return {}


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    complaints: dict[str, list[str]] = {}
    for found in error.errors():
        # ("query", "tile", "int"): where, which, and which of its types was tried.
        complaints.setdefault(str(found["loc"][:2][-1]), []).append(found["msg"])
    errors = [
        ParameterError(parameter=parameter, detail=", or: ".join(messages))
        for parameter, messages in complaints.items()
    ]
    detail = "; ".join(f"{found.parameter}: {found.detail}" for found in errors)
    problem = _problem("invalid-parameter", 422, detail, request_id_of(request.scope))
    problem.errors = errors
    return respond(problem, path_of(request.scope))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    detail, headers = error.detail, dict(error.headers or {})
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = f"There is nothing at {request.url.path[:200]}; GET / has the links."
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        methods = _methods_at(request)
        headers["Allow"] = ", ".join(methods)
        possible = f"{' and '.join(methods)} {'is' if len(methods) == 1 else 'are'}"
        detail = f"{request.method} is not possible at {request.url.path[:200]}; {possible}."
    slug = phrase.lower().replace(" ", "-")
    problem = _problem(
        slug, error.status_code, detail, request_id_of(request.scope), phrase.capitalize()
    )
    return respond(problem, path_of(request.scope), headers)


def _methods_at(request: Request) -> list[str]:
    """Return the methods of all routes at the path; each route knows but its own."""
    found: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] != Match.NONE:
            found |= set(getattr(route, "methods", None) or ())
    return sorted(found)


async def _on_disconnect(request: Request, _: Exception) -> Response:
    detail = "The client went away before its request was complete."
    problem = _problem("incomplete-request", 400, detail, request_id_of(request.scope))
    return respond(problem, path_of(request.scope))


_HANDLERS: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    ConvscopeError: _on_error,
    RequestValidationError: _on_invalid_request,
    HTTPException: _on_http_exception,
    ClientDisconnect: _on_disconnect,
}


def _problem(
    slug: str, status: int, detail: str, request_id: str, title: str | None = None
) -> Problem:
    return Problem(
        type=f"urn:convscope:problem:{slug}",
        title=title or slug.replace("-", " ").capitalize(),
        status=status,
        detail=detail,
        request_id=request_id,
        nearest=None,
        errors=None,
        models=None,
    )
