"""The id of a request: a sane one that came with it, or else a new one."""

import string
from random import getrandbits

from starlette.types import Scope

HEADER = "x-request-id"
_NAME = HEADER.encode()
_SANE = (string.ascii_letters + string.digits + "._-").encode()
_LONGEST = 128


def give_request_id(scope: Scope) -> bytes:
    """Return the id that the request has from now on."""
    request_id = _sent(scope) or _new()
    scope.setdefault("state", {})["request_id"] = request_id.decode()
    return request_id


def request_id_of(scope: Scope) -> str:
    """Return the id that the request was given."""
    return str(scope["state"]["request_id"])


def _sent(scope: Scope) -> bytes:
    """Return the id that the client sent; nothing if it sent none that is sane."""
    for name, value in scope["headers"]:
        if name == _NAME:
            sane = len(value) <= _LONGEST and not value.translate(None, _SANE)
            return bytes(value) if sane else b""
    return b""


def _new() -> bytes:
    # Python seeds this anew in every process, also in a forked one. The operating system's
    # randomness would give up the interpreter lock, and get it back behind the runners' threads.
    return b"%032x" % getrandbits(128)
