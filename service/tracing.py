"""Traces for OpenTelemetry; imported only when they are asked for.

FastAPI makes a span of every request and follows an incoming traceparent. Here it gets a provider
that sends them, and each span the facts that only we know.
"""

from typing import TYPE_CHECKING, Any

from opentelemetry.trace import Span, format_trace_id, get_current_span
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.noted import Noted, noted
from service.contract.errors import SetupError
from service.version import VERSION

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig
    from opentelemetry.sdk.trace import TracerProvider

# Probes come every few seconds and tell nothing.
_UNTRACED = frozenset({"/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"})


class Tracing:
    """The way of the spans to the collector that the OTEL_* variables name.

    Raises: SetupError if the otel extra is not installed.
    """

    def __init__(self) -> None:
        self._provider = _open_provider()

    @property
    def telemetry(self) -> "TelemetryConfig":
        """What FastAPI has to know: one span a request, and nothing else."""
        return {
            "tracer_provider": self._provider,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
            "exclude": lambda scope: scope["path"] in _UNTRACED,
        }

    def close(self) -> None:
        """Send what has not been sent, which takes seconds if nobody answers, and end."""
        self._provider.shutdown()


class TraceNotes:
    """Middleware that tells the log the trace, and the span what the route noted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        span = get_current_span()
        if scope["type"] != "http" or not span.get_span_context().is_valid:
            await self._app(scope, receive, send)
            return
        scope["state"]["trace_id"] = format_trace_id(span.get_span_context().trace_id)

        async def send_noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                _describe(span, scope)
            await send(message)

        await self._app(scope, receive, send_noting)


def _open_provider() -> "TracerProvider":
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise SetupError(
            "Tracing needs the otel extra: pip install 'convscope[otel]' "
            f"({error.name} is not installed)."
        ) from error
    ours = Resource.create({"service.name": "convscope", "service.version": VERSION})
    # once more on top, so that OTEL_SERVICE_NAME is stronger than our name
    resource = ours.merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _describe(span: Span, scope: Scope) -> None:
    span.set_attribute("convscope.request_id", scope["state"]["request_id"])
    answered_by = noted(scope)
    if answered_by is not None:
        span.set_attributes(_attributes(answered_by))


def _attributes(answered_by: Noted) -> dict[str, Any]:
    model, version, timing = answered_by
    named = {"convscope.model": model, "convscope.version": version}
    if timing is None:
        return named
    return named | {
        "convscope.decode_ms": timing.decode_ms,
        "convscope.queue_ms": timing.queue_ms,
        "convscope.compute_ms": timing.compute_ms,
        "convscope.batch_size": timing.batch_size,
    }
