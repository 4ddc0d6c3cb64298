"""`convscope serve`."""

import asyncio
import signal
import socket
from typing import Any

import click
import uvicorn
from fastapi import FastAPI

from service.api.state import State
from service.commands.age import process_age_s
from service.commands.options import read_settings, settings_options
from service.contract.errors import SetupError
from service.main import create_app
from service.settings import Settings
from service.version import VERSION


@click.command()
@settings_options(Settings.model_fields)
def serve(**flags: Any) -> None:
    """Serve the models of a folder over HTTP."""
    settings = read_settings(flags)
    try:
        with _listen(settings) as listener:
            app = create_app(settings)
            server = _Server(_uvicorn_config(app, settings))
            loop_factory = server.config.get_loop_factory()
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                runner.run(_run(server, app, listener))
    except SetupError as error:
        raise click.ClickException(str(error)) from error


async def _run(server: "_Server", app: FastAPI, listener: socket.socket) -> None:
    # Entered here and not by uvicorn, which would print a traceback where a sentence is wanted.
    async with app.router.lifespan_context(app):
        server.greeting = _greeting(app.state.convscope, listener)
        # Uvicorn stops on these and then raises them again, which must not skip the clean-up.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        await server.serve(sockets=[listener])


class _Server(uvicorn.Server):
    """Says one line when it answers, and otherwise only what is wrong."""

    greeting = ""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        click.echo(self.greeting)


def _uvicorn_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        server_header=False,
        log_level=settings.log_level,
        access_log=settings.log_level in {"debug", "info"},
    )


def _listen(settings: Settings) -> socket.socket:
    """Take the port before anything is loaded, so that a taken one is known at once."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise SetupError(
            f"Cannot listen on {settings.host} port {settings.port}: {error.strerror}. "
            "Choose another with --port or --host."
        ) from error
    return listener


def _greeting(state: State, listener: socket.socket) -> str:
    """Return what is served where and on what, and a line for every model that is not."""
    catalog = state.catalog
    host, port = listener.getsockname()[:2]
    place = f"[{host}]" if ":" in host else host
    ready = [model for name in catalog.names for model in catalog.versions(name)]
    names = {model.manifest.name for model in ready}
    providers = " and ".join(sorted({model.execution_provider for model in ready})) or "nothing"
    refused = [f"refused {refusal.file}: {refusal.reason}" for refusal in catalog.refusals]
    return "\n".join(
        [
            f"convscope {VERSION} on http://{place}:{port}, {len(names)} "
            f"{'model' if len(names) == 1 else 'models'} ready on {providers} "
            f"in {process_age_s():.1f} s",
            *refused,
        ]
    )
