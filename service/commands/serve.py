"""`convscope serve`."""

import asyncio
import math
import signal
import socket
from types import FrameType
from typing import Any

import click
import uvicorn
from fastapi import FastAPI

from service.api.condition import Condition
from service.api.state import State
from service.commands.age import process_age_s
from service.commands.open_files import room_for_connections
from service.commands.options import SERVING, read_settings, settings_options
from service.commands.protocol import PeerLimits, bounded_protocol
from service.commands.unread import keep_unsent_here
from service.contract.errors import SetupError
from service.logs import configure_logs
from service.main import create_app
from service.memory import few_arenas, settle
from service.settings import Settings
from service.version import VERSION


@click.command()
@settings_options(SERVING)
def serve(**flags: Any) -> None:
    """Serve the models of a folder over HTTP."""
    settings = read_settings(flags)
    few_arenas()
    try:
        with _listen(settings) as listener:
            configure_logs(settings.log_level, settings.log_format)
            app = create_app(settings)
            server = _Server(
                _uvicorn_config(app, settings), app.state.condition, settings.shutdown_delay_s
            )
            loop_factory = server.config.get_loop_factory()
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                runner.run(_run(server, app, listener))
    except SetupError as error:
        raise click.ClickException(str(error)) from error


async def _run(server: "_Server", app: FastAPI, listener: socket.socket) -> None:
    # Entered here and not by uvicorn, which would print a traceback where a sentence is wanted.
    async with app.router.lifespan_context(app):
        settle()
        server.greeting = _greeting(app.state.convscope, listener)
        # Uvicorn stops on these and then raises them again, which must not skip the clean-up.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        await server.serve(sockets=[listener])


class _Server(uvicorn.Server):
    """Says one line when it answers, and otherwise only what is wrong.

    Told to end, it first has its balancers look elsewhere, for `shutdown_delay_s`.
    """

    greeting = ""

    def __init__(self, config: uvicorn.Config, condition: Condition, delay_s: float) -> None:
        super().__init__(config)
        self._condition = condition
        self._delay_s = delay_s

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        again = self._condition.draining
        self._condition.drain()
        if again or sig == signal.SIGINT or not self._delay_s:
            super().handle_exit(sig, frame)
        else:
            # a signal handler may interrupt the loop anywhere, so it only leaves a message
            asyncio.get_running_loop().call_soon_threadsafe(self._end_later, sig)

    def _end_later(self, sig: int) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(self._delay_s, super().handle_exit, sig, None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        click.echo(self.greeting)


def _uvicorn_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        http=bounded_protocol(_peer_limits(settings)),
        ws="none",
        proxy_headers=False,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=math.ceil(settings.shutdown_grace_s),
        server_header=False,
        # configure_logs has made the handlers, and the application writes its own access log
        log_config=None,
        log_level=settings.log_level,
        access_log=False,
    )


def _peer_limits(settings: Settings) -> PeerLimits:
    return PeerLimits(
        max_connections=room_for_connections(settings.max_connections),
        max_header_bytes=settings.max_header_bytes,
        max_unread_bytes=settings.max_inflight_bytes,
        header_timeout_s=settings.header_timeout_s,
        body_timeout_s=settings.body_timeout_s,
        write_timeout_s=settings.write_timeout_s,
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
            keep_unsent_here(listener)
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
