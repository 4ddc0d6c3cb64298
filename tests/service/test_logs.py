import io
import json
import logging
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Request

from service.api.noted import note_timing
from service.logs import JsonLines, TextLines, current_request
from service.settings import Settings
from service.traceparent import trace_id_of
from tests.api.client import Client
from tests.tiny_models import write_model

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


class Log:
    """What our loggers write, in one of the formats."""

    def __init__(self, formatter: logging.Formatter) -> None:
        self.handler = logging.StreamHandler(io.StringIO())
        self.handler.setFormatter(formatter)

    @property
    def text(self) -> str:
        return str(self.handler.stream.getvalue())

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


def attached(formatter: logging.Formatter) -> Iterator[Log]:
    logger, log = logging.getLogger("convscope"), Log(formatter)
    level = logger.level
    logger.addHandler(log.handler)
    logger.setLevel("DEBUG")
    yield log
    logger.setLevel(level)
    logger.removeHandler(log.handler)


@pytest.fixture
def as_json() -> Iterator[Log]:
    yield from attached(JsonLines())


@pytest.fixture
def as_text() -> Iterator[Log]:
    yield from attached(TextLines())


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """An application with an access log, and with routes that note a model and that fail."""
    root = tmp_path_factory.mktemp("models")
    write_model(root)
    client = Client(Settings(models_dir=root, device="cpu", threads=1, log_level="info"))

    @client.app.get("/v1/noting")
    async def noting(request: Request) -> None:
        note_timing(request.scope, "colors", 1)

    @client.app.get("/v1/broken")
    async def broken() -> None:
        raise RuntimeError("first\n2026-01-01T00:00:00.000Z INFO convscope: second\x1b[31m")

    with client:
        yield client


def test_request_is_a_line_of_json(client: Client, as_json: Log) -> None:
    """Each member under its documented name; the query string stays out."""
    headers = {"x-request-id": "my-id", "traceparent": TRACEPARENT}
    client.get("/v1/noting?secret=1", headers=headers)
    (line,) = as_json.lines
    assert re.fullmatch(TIME, line.pop("time"))
    duration_ms = line.pop("duration_ms")
    assert 0 <= duration_ms < 10_000
    assert line == {
        "level": "info",
        "logger": "convscope.access",
        "message": f"GET /v1/noting 200 in {duration_ms} ms",
        "request_id": "my-id",
        "trace_id": TRACE,
        "method": "GET",
        "path": "/v1/noting",
        "client": "127.0.0.1",
        "status": 200,
        "model": "colors/1",
    }


@pytest.mark.parametrize("process", [0, 1])
def test_every_line_tells_its_process_where_there_are_several(process: int) -> None:
    """As a member, or behind the message, even where the message has such a number too."""
    record = logging.LogRecord("convscope", logging.INFO, "", 0, "0 of 1 left", (), None)
    assert json.loads(JsonLines(process).format(record))["process"] == process
    assert TextLines(process).format(record).endswith(f" 0 of 1 left process={process}")
    assert "process" not in json.loads(JsonLines().format(record))


def test_request_is_a_readable_line_of_text(client: Client, as_text: Log) -> None:
    """What the message tells already is not said twice."""
    client.get("/v1/noting?secret=1", headers={"x-request-id": "my-id"})
    assert re.fullmatch(
        rf"{TIME} INFO convscope\.access: GET /v1/noting 200 in \d+\.\d ms "
        r"request_id=my-id client=127\.0\.0\.1 model=colors/1\n",
        as_text.text,
    )


def test_errors_are_logged_with_the_status_that_was_answered(client: Client, as_json: Log) -> None:
    """404 as well as 500, without a model where none answered."""
    client.get("/nothing")
    client.get("/v1/broken")
    missing, failure, broken = as_json.lines
    assert (missing["status"], failure["level"], broken["status"]) == (404, "error", 500)
    assert "model" not in missing


def test_line_of_an_error_tells_its_request(client: Client, as_json: Log) -> None:
    """Id, trace, method and path stand beside the exception, which is one member."""
    answer = client.get("/v1/broken", headers={"traceparent": TRACEPARENT})
    failure = as_json.lines[0]
    assert failure["request_id"] == answer.headers["x-request-id"]
    assert (failure["trace_id"], failure["path"]) == (TRACE, "/v1/broken")
    assert failure["exception"].startswith("Traceback")
    assert "RuntimeError: first\n" in failure["exception"]


def test_traceback_as_text_cannot_forge_a_line(client: Client, as_text: Log) -> None:
    """Lines of an exception are indented, and terminal sequences are shown, not obeyed."""
    client.get("/v1/broken")
    begun = [line for line in as_text.text.splitlines() if not line.startswith("    ")]
    assert len(begun) == 2
    assert r"second\x1b[31m" in as_text.text
    assert "\x1b" not in as_text.text


@pytest.mark.parametrize(
    "path",
    [
        "/a%0Ab%0D%0Ac",
        "/a%20status=200%22",
        "/%1b[2Jx",
        "/%e2%80%a8x",
        "/%ff%fe",
        "/%C2%85%00x",
        "/%25%7F",
    ],
)
def test_path_cannot_forge_a_line(client: Client, as_text: Log, as_json: Log, path: str) -> None:
    """Whatever is asked for, a request is one line, and its path one word of ASCII."""
    client.get(path)
    assert len(as_text.text.splitlines()) == len(as_json.text.splitlines()) == 1
    assert as_text.text.isascii()
    (line,) = as_json.lines
    assert re.fullmatch(r"/[!-~]*", line["path"])
    assert line["path"] in as_text.text
    assert line["status"] == 404


def test_text_from_elsewhere_is_escaped(as_text: Log) -> None:
    """Messages of any origin stay on their line, and fields stay apart."""
    fields = {"a": "b c=d", "e": "line\nbreak", "none": None}
    logging.getLogger("convscope").warning("one\ntwo\r%s", "\x1b[0m", extra={"fields": fields})
    assert as_text.text.endswith(
        r' WARNING convscope: one\ntwo\r\x1b[0m a="b c=d" e="line\nbreak"' + "\n"
    )


def test_client_without_an_address_is_no_trouble(as_json: Log) -> None:
    """Behind a Unix socket there is none."""
    scope = {"method": "GET", "path": "/", "headers": [], "client": None}
    token = current_request.set(scope)
    logging.getLogger("convscope").warning("hello")
    current_request.reset(token)
    assert "client" not in as_json.lines[0]


def test_access_log_is_not_there_when_nobody_reads_it(tmp_path: Path, as_json: Log) -> None:
    """At level warning a request costs no thought of the log."""
    write_model(tmp_path)
    with Client(Settings(models_dir=tmp_path, device="cpu", threads=1)) as client:
        client.get("/livez")
    assert as_json.text == ""


@pytest.mark.parametrize(
    "sent",
    [
        [],
        [""],
        ["nonsense"],
        [TRACEPARENT.upper()],
        [TRACEPARENT + "-00"],
        [TRACEPARENT[:-1]],
        ["ff" + TRACEPARENT[2:]],
        [f"00-{'0' * 32}-b7ad6b7169203331-01"],
        [f"00-{TRACE}-{'0' * 16}-01"],
        [TRACEPARENT, TRACEPARENT],
        ["\xff"],
    ],
)
def test_invalid_traceparent_is_ignored(sent: list[str]) -> None:
    """What the specification calls invalid names no trace."""
    assert trace_id_of([(b"traceparent", value.encode("latin-1")) for value in sent]) is None


@pytest.mark.parametrize("sent", [TRACEPARENT, f" {TRACEPARENT} ", f"01{TRACEPARENT[2:]}-more"])
def test_valid_traceparent_names_the_trace(sent: str) -> None:
    """Also in versions to come, which may have more at the end."""
    assert trace_id_of([(b"host", b"x"), (b"traceparent", sent.encode())]) == TRACE


@pytest.mark.parametrize("form", ["json", "text"])
def test_real_server_logs_every_line_in_the_chosen_form(tmp_path: Path, form: str) -> None:
    """Uvicorn's messages too; each request once, on stderr."""
    write_model(tmp_path)
    flags = ["--models-dir", str(tmp_path), "--port", "0", "--device", "cpu"]
    flags += ["--log-level", "info", "--log-format", form]
    with subprocess.Popen(
        [sys.executable, "-m", "service", "serve", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        found = re.search(r"http://\S+(?=,)", process.stdout.readline())
        assert found, process.communicate()
        httpx.get(found[0] + "/livez")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    lines = errors.splitlines()
    assert len([line for line in lines if "/livez" in line]) == 1
    if form == "text":
        assert all(re.match(rf"{TIME} INFO [\w.]+: ", line) for line in lines), errors
    else:
        loggers = {json.loads(line)["logger"] for line in lines}
        assert loggers == {"convscope.access", "uvicorn.error"}
