import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from service.api.noted import note_timing
from service.settings import Settings
from service.tasks.timing import Timing
from tests.api.client import Client
from tests.pictures import flat
from tests.tiny_models import write_model

KEY = "hf_key-that-nobody-may-see"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector:
    """Takes spans over OTLP as a real one does, and keeps them."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)

    @property
    def resources(self) -> list[Any]:
        return [entry for request in self.requests for entry in request.resource_spans]

    @property
    def spans(self) -> dict[str, Span]:
        return {
            span.name: span
            for entry in self.resources
            for scope in entry.scope_spans
            for span in scope.spans
        }


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector that the standard variables point to."""
    collector = Collector()
    thread = threading.Thread(target=collector.server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{collector.server.server_port}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    yield collector
    collector.server.shutdown()
    collector.server.server_close()
    thread.join()


def application(root: Path, **more: Any) -> Client:
    write_model(root)
    client = Client(Settings(models_dir=root, device="cpu", threads=1, **more))

    @client.app.get("/v1/models/{name}/noting")
    async def noting(name: str, request: Request) -> None:
        timing = Timing(decode_ms=1.5, queue_ms=2.5, compute_ms=3.5, total_ms=8, batch_size=4)
        note_timing(request.scope, name, 7, timing)

    @client.app.get("/v1/broken")
    async def broken() -> None:
        raise RuntimeError

    return client


def attributes(entries: Any) -> dict[str, Any]:
    return {
        entry.key: getattr(entry.value, str(entry.value.WhichOneof("value"))) for entry in entries
    }


def test_span_tells_who_answered_and_where_the_time_went(
    tmp_path: Path, collector: Collector
) -> None:
    """A span a request, named for its route, with model and timing; probes make none."""
    with application(tmp_path, tracing=True) as client:
        answer = client.get("/v1/models/colors/noting")
        client.get("/livez")
        client.get("/v1/broken")
    assert set(collector.spans) == {"GET /v1/models/{name}/noting", "GET /v1/broken"}
    span = collector.spans["GET /v1/models/{name}/noting"]
    found = attributes(span.attributes)
    ours = {name: value for name, value in found.items() if name.startswith("convscope.")}
    assert ours == {
        "convscope.request_id": answer.headers["x-request-id"],
        "convscope.model": "colors",
        "convscope.version": 7,
        "convscope.decode_ms": 1.5,
        "convscope.queue_ms": 2.5,
        "convscope.compute_ms": 3.5,
        "convscope.batch_size": 4,
    }
    assert found["http.response.status_code"] == 200
    broken = collector.spans["GET /v1/broken"]
    assert broken.status.code == broken.status.STATUS_CODE_ERROR


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_keys_are_in_no_trace(tmp_path: Path, collector: Collector, header: str) -> None:
    """Neither one that opens nor one that does not; the span of their request is there."""
    with application(tmp_path, tracing=True, api_keys=KEY) as client:
        for key, status in ((KEY, 200), (KEY[::-1], 401)):
            sent = f"Bearer {key}" if header == "authorization" else key
            answer = client.post("/hf/colors", content=flat("red"), headers={header: sent})
            assert answer.status_code == status
    exported = b"".join(request.SerializeToString() for request in collector.requests)
    assert b"/hf/{name}" in exported
    assert KEY.encode() not in exported
    assert KEY[::-1].encode() not in exported


def test_trace_of_the_client_goes_on(tmp_path: Path, collector: Collector) -> None:
    """The span is a child of the one that the traceparent names."""
    with application(tmp_path, tracing=True) as client:
        client.get("/v1/models", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    span = collector.spans["GET /v1/models"]
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)


def test_log_and_trace_find_each_other(
    tmp_path: Path, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    """A request that began no trace elsewhere has the new one's id in its lines."""
    from service.logs import JsonLines

    caplog.handler.setFormatter(JsonLines())
    with (
        caplog.at_level("INFO", "convscope"),
        application(tmp_path, tracing=True, log_level="info") as client,
    ):
        client.get("/v1/models")
    assert collector.spans["GET /v1/models"].trace_id.hex() in caplog.text


@pytest.mark.parametrize("named", [None, "eyes"])
def test_resource_is_ours_unless_the_environment_names_another(
    tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch, named: str | None
) -> None:
    """OTEL_SERVICE_NAME is stronger than our own name."""
    if named:
        monkeypatch.setenv("OTEL_SERVICE_NAME", named)
    with application(tmp_path, tracing=True) as client:
        client.get("/v1/models")
    resource = attributes(collector.resources[0].resource.attributes)
    assert resource["service.name"] == (named or "convscope")
    assert resource["service.version"]


def test_nothing_is_sent_unless_asked_for(tmp_path: Path, collector: Collector) -> None:
    """Off by default, whatever the OTEL_* variables say; noting is harmless then."""
    with application(tmp_path) as client:
        assert client.get("/v1/models/colors/noting").status_code == 200
    assert not collector.requests


def test_sdk_is_imported_only_when_asked_for(tmp_path: Path) -> None:
    """The start of a server without traces does not pay for them."""
    write_model(tmp_path)
    program = (
        "import sys\n"
        "from service.main import create_app\n"
        "from service.settings import Settings\n"
        "create_app(Settings())\n"
        "print('opentelemetry.sdk' in sys.modules, 'service.tracing' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False False\n"


def test_missing_extra_is_one_sentence(tmp_path: Path) -> None:
    """Asked for but not installed: the start stops and says what to install."""
    write_model(tmp_path)
    program = (
        "import sys\n"
        "sys.modules['opentelemetry.sdk'] = None\n"
        "from service.cli import main\n"
        f"main(['serve', '--tracing', '--port', '0', '--models-dir', {str(tmp_path)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "pip install 'convscope[otel]'" in done.stderr
    assert "Traceback" not in done.stderr
