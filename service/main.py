"""The application: wiring only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from service.api import classify, features, health, index, models, problems
from service.api.body import BodyLimits
from service.api.request_id import RequestIds
from service.api.state import PROBLEMS, State
from service.codecs.image import ImageLimits
from service.cpus import available_cpus
from service.settings import Settings
from service.version import VERSION
from service.wiring import open_catalog
from service.workers import Workers


def create_app(settings: Settings) -> FastAPI:
    """Return the application; its models are loaded when it starts and released when it ends.

    Starting it raises SetupError if the operator has to act.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        catalog = await run_in_threadpool(open_catalog, settings)
        workers = Workers(settings.threads or available_cpus())
        app.state.convscope = State(
            catalog,
            workers,
            ImageLimits(settings.max_pixels),
            BodyLimits(settings.max_body_bytes, settings.max_files),
        )
        yield
        workers.close()
        del app.state.convscope

    app = FastAPI(
        title="convscope",
        version=VERSION,
        lifespan=lifespan,
        # the built-in documentation pages load their scripts from a CDN
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=PROBLEMS,
    )
    for part in (index, health, models, classify, features):
        app.include_router(part.router)
    problems.install(app)
    app.add_middleware(RequestIds)
    return app
