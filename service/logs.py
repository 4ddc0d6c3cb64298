"""Lines of the log on stderr: text for people, JSON for machines."""

import json
import logging
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Literal
from urllib.parse import quote

from service.traceparent import trace_id_of

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]

# The ASGI scope of the request that is being answered. A line takes from it what it needs when
# it is written, so that a request of which nothing is logged costs no more than this being set.
current_request: ContextVar[Mapping[str, Any] | None] = ContextVar("current_request", default=None)

# What may stand in the path of a URL (RFC 3986, 3.3); quote() keeps letters and digits anyway.
_PATH = "/:@-._~!$&'()*+,;="


def configure_logs(level: LogLevel, form: LogFormat, process: int | None = None) -> None:
    """Write what is at least as severe as `level` to stderr; of other libraries only warnings.

    process: this process's number, for every line, where there are several.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(process) if form == "json" else TextLines(process))
    least = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(handlers=[handler], level=max(least, logging.WARNING), force=True)
    logging.captureWarnings(True)
    for ours in ("convscope", "uvicorn"):
        logging.getLogger(ours).setLevel(least)


class JsonLines(logging.Formatter):
    """One JSON object a line, in ASCII; an exception is one of its members."""

    def __init__(self, process: int | None = None) -> None:
        super().__init__()
        self._process = {} if process is None else {"process": process}

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._process,
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextLines(logging.Formatter):
    """Time, level, logger, message, and then the fields that the message does not tell.

    Nothing that came from outside can begin a line: control characters are escaped, and a
    traceback is indented.
    """

    def __init__(self, process: int | None = None) -> None:
        super().__init__()
        self._process = "" if process is None else f" process={process}"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        message = record.message
        fields = {name: str(value) for name, value in _fields(record).items()}
        rest = [f" {name}={_word(text)}" for name, text in fields.items() if text not in message]
        head = f"{_time(record)} {record.levelname} {record.name}: "
        return head + _printable(message) + self._process + "".join(rest)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        lines = super().formatException(ei).splitlines()
        return "\n".join("    " + _printable(line) for line in lines)


def path_of(scope: Mapping[str, Any]) -> str:
    """Return the path without its query, as it stands in a URL: ASCII without spaces."""
    return quote(scope["path"], safe=_PATH, errors="replace")


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return what is known of the request, and what was logged with `extra={"fields": ...}`."""
    scope = current_request.get()
    fields = {} if scope is None else _request_fields(scope)
    fields |= getattr(record, "fields", {})
    return {name: value for name, value in fields.items() if value is not None}


def _request_fields(scope: Mapping[str, Any]) -> dict[str, Any]:
    state = scope.get("state", {})
    client = scope.get("client")
    return {
        "request_id": state.get("request_id"),
        "trace_id": state.get("trace_id") or trace_id_of(scope["headers"]),
        "method": scope["method"],
        "path": path_of(scope),
        "client": client and client[0],
    }


def _time(record: logging.LogRecord) -> str:
    """Return when it was logged (RFC 3339, UTC, milliseconds)."""
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03d}Z"


def _word(text: str) -> str:
    """Return the text so that it cannot be taken for several fields."""
    return text if text.isprintable() and not set(text) & set(' "=') else json.dumps(text)


def _printable(text: str) -> str:
    """Return the text with line breaks, terminal sequences and their like escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
