"""The ways in which a request can end without an answer."""

import errno
import ssl
from socket import gaierror
from typing import Literal

Failure = Literal[
    "refused",
    "unreachable",
    "tls",
    "reset",
    "closed",
    "malformed",
    "timeout",
    "local",
    "interrupted",
]

SENTENCES: dict[Failure, str] = {
    "refused": "nobody listens there (connection refused)",
    "unreachable": "the address cannot be resolved or reached",
    "tls": "the TLS handshake failed",
    "reset": "the server reset the connection",
    "closed": "the server closed the connection without a whole answer",
    "malformed": "what came back is no HTTP answer",
    "timeout": "no answer came in time",
    "local": "this machine could not open another connection",
    "interrupted": "the run was ended before the answer came",
}


class Unanswered(Exception):
    """A request ended without an answer; `str(error)` says why, as a sentence."""

    def __init__(self, url: str, kind: Failure) -> None:
        self.kind = kind
        super().__init__(f"{url} does not answer: {SENTENCES[kind]}.")


def kind_of(error: OSError) -> Failure:
    """Return what it means that a connection failed with this error."""
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, ConnectionError):
        return "reset"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, gaierror) or error.errno in {errno.EHOSTUNREACH, errno.ENETUNREACH}:
        return "unreachable"
    return "local"  # no file descriptor or no port is left
