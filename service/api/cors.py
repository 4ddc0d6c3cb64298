"""Cross-origin requests: which pages of others may ask from a browser."""

import re

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from service.contract.errors import SetupError

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s]+")
_METHODS = ("GET", "HEAD", "POST")
_REQUEST_HEADERS = (
    "authorization",
    "content-encoding",
    "content-type",
    "inference-header-content-length",
    "traceparent",
    "x-api-key",
    "x-request-id",
    "x-request-timeout-ms",
)
_ANSWER_HEADERS = ("Retry-After", "inference-header-content-length", "x-request-id")


def allow_origins(app: FastAPI, listed: str) -> None:
    """Let pages of the listed origins ask, or of all if the list is `*`.

    listed: separated by commas. Raises: SetupError if one is no origin.
    """
    app.add_middleware(
        CORSMiddleware,
        allow_origins=parse_origins(listed),
        allow_methods=_METHODS,
        allow_headers=_REQUEST_HEADERS,
        expose_headers=_ANSWER_HEADERS,
    )


def parse_origins(listed: str) -> list[str]:
    """Return the origins of the list as browsers send them.

    Raises: SetupError if one is no origin, which browsers would silently never match.

    >>> parse_origins("https://example.org, http://LOCALHOST:5173")
    ['https://example.org', 'http://localhost:5173']
    """
    origins = [origin.strip().lower() for origin in listed.split(",")]
    for origin in origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise SetupError(
                f"The CORS origin {origin!r} is not like https://example.org: "
                "scheme, host and, if it is not the usual one, port, with nothing behind."
            )
    return origins
