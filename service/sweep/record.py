"""What is written of one file: a line of JSON, whatever the file is called."""

import base64
import os
from typing import Any

import orjson

from service.contract.errors import ConvscopeError, slug_of

_NAMES = {FileNotFoundError: "not-found", PermissionError: "permission-denied"}


def record_line(path: str, told: dict[str, Any]) -> bytes:
    """Return path and answer as one line.

    A path whose bytes are no UTF-8 is told with `\\xe9` in their place, and as they are in
    `path_base64`.
    """
    try:
        record: dict[str, Any] = {"path": path, **told}
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:  # a lone surrogate, by which Python keeps such a byte
        raw = os.fsencode(path)
        shown = raw.decode("utf-8", "backslashreplace")
        record = {"path": shown, "path_base64": base64.b64encode(raw).decode(), **told}
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def path_of(record: dict[str, Any]) -> str:
    """Return the path of a record, as the system has it."""
    if "path_base64" in record:
        return os.fsdecode(base64.b64decode(record["path_base64"]))
    path: str = record["path"]
    return path


def told_of(error: Exception) -> dict[str, str]:
    """Return `type`, as the server's problems have it, and `detail` of what befell a file.

    >>> told_of(FileNotFoundError(2, "No such file or directory"))
    {'type': 'not-found', 'detail': 'No such file or directory'}
    """
    if isinstance(error, OSError):
        kind = _NAMES.get(type(error), "unreadable")
        detail = error.strerror or str(error)
    elif isinstance(error, ConvscopeError):
        kind = slug_of(type(error))
        detail = str(error)
    else:
        kind, detail = "internal-error", f"{type(error).__name__}: {error}"
    return {"type": kind, "detail": detail.encode("utf-8", "backslashreplace").decode()}
