"""The application: wiring only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from pydantic import SecretStr
from starlette.concurrency import run_in_threadpool

from service.api import (
    admin,
    classify,
    compare,
    embed,
    explain,
    features,
    health,
    index,
    kernels,
    layers,
    measure,
    models,
    openapi,
    page,
    problems,
    scrape,
    segment,
    stability,
)
from service.api.access_log import AccessLog
from service.api.answer_headers import AnswerHeaders
from service.api.body import BodyLimits
from service.api.budget import ByteBudget
from service.api.catch_up import catch_up
from service.api.condition import Condition
from service.api.cors import allow_origins
from service.api.hf import routes as hf
from service.api.keys import Guard, KeyRing, read_keys
from service.api.lean import shorten
from service.api.metrics import Meter, Metrics
from service.api.oip import infer
from service.api.oip.parts import PARTS as OIP_PARTS
from service.api.saturation import Given, Saturation
from service.api.scrape import Gauges
from service.api.siblings import ALONE, Siblings
from service.api.state import State
from service.api.turns import Turns
from service.room import available_bytes
from service.runners import Runners
from service.runtime import ONNX_RUNTIME, sees_gpu
from service.settings import Settings
from service.version import VERSION
from service.watch import watching
from service.wiring import open_chores, open_finishing, open_live, runners_of

# Without this FastAPI would look around for something to report to at every request.
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
# The busiest first, in whose order they are matched.
_PARTS = (
    classify,
    infer,
    segment,
    measure,
    features,
    layers,
    kernels,
    embed,
    explain,
    stability,
    compare,
    hf,
    models,
    admin,
    health,
    scrape,
    index,
    openapi,
    page,
    *OIP_PARTS,
)


def create_app(settings: Settings, siblings: Siblings = ALONE) -> FastAPI:
    """Return the application; its models are loaded when it starts and released when it ends.

    Making it and starting it raise SetupError if the operator has to act.
    """
    page.page_files()  # read now, not while somebody waits
    keys = _key_ring(settings)
    metrics, condition = Metrics(), Condition()
    tracing = None
    if settings.tracing:
        from service.tracing import Tracing  # what is not asked for costs no start-up time

        tracing = Tracing()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        runners = Runners(runners_of(settings))
        live = await run_in_threadpool(open_live, settings, runners)
        chores = open_chores(settings, runners)
        app.state.convscope = State(
            metrics,
            condition,
            live,
            chores,
            open_finishing(runners),
            Turns(runners_of(settings), settings.max_queue),
            _body_limits(settings),
            settings.request_timeout_ms,
        )
        metrics.registry.register(Gauges(app.state.convscope, ONNX_RUNTIME))
        given = Given(settings.device, sees_gpu(), settings.max_queue, available_bytes(), runners)
        metrics.registry.register(Saturation(app.state.convscope, given))
        await catch_up(live, siblings)
        async with watching(live, settings.watch_s):
            yield
            condition.drain()
        await asyncio.gather(chores.close(), live.close())
        await app.state.convscope.finishing.close()
        runners.close()
        if tracing:
            await run_in_threadpool(tracing.close)
        del app.state.convscope

    app = FastAPI(
        title="convscope",
        version=VERSION,
        lifespan=lifespan,
        openapi_url=None,  # ours are in openapi.py and page.py
        redirect_slashes=False,
        telemetry=tracing.telemetry if tracing else _NO_TELEMETRY,
    )
    app.state.keys, app.state.condition, app.state.metrics = keys, condition, metrics
    app.state.siblings, app.state.description = siblings, None
    # not included but taken over: FastAPI matches included ones twice
    for part in _PARTS:
        app.router.routes += part.router.routes
    _surround(app, settings, keys)
    return app


def _surround(app: FastAPI, settings: Settings, keys: KeyRing) -> None:
    """Put around the routes what every request passes, from the inside out."""
    if not settings.tracing:  # FastAPI traces the long way only
        shorten(app)
    problems.install(app)
    if keys.locks:
        app.add_middleware(Guard, keys, app.state.siblings)
    if settings.cors_origins:
        # outside of the guard: browsers ask for leave without a key
        allow_origins(app, settings.cors_origins)
    if settings.log_level in ("debug", "info"):
        app.add_middleware(AccessLog)
    if settings.tracing:
        from service.tracing import TraceNotes

        app.add_middleware(TraceNotes)
    app.add_middleware(Meter, app.state.metrics, app.state.condition)
    app.add_middleware(AnswerHeaders)


def _body_limits(settings: Settings) -> BodyLimits:
    return BodyLimits(
        settings.max_body_bytes,
        settings.max_files,
        settings.body_timeout_s,
        ByteBudget(settings.max_inflight_bytes),
    )


def _key_ring(settings: Settings) -> KeyRing:
    return KeyRing(
        read_keys(settings.api_keys_file, _revealed(settings.api_keys), "CONVSCOPE_API_KEYS"),
        read_keys(settings.admin_keys_file, _revealed(settings.admin_keys), "CONVSCOPE_ADMIN_KEYS"),
    )


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
