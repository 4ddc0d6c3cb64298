"""One server process: the application behind its sockets, from the start to the last answer."""

import asyncio
import math
import signal
import socket
from types import FrameType

import click
import uvicorn
from fastapi import FastAPI

from service.api.condition import Condition
from service.api.siblings import ALONE, Siblings
from service.api.state import State
from service.commands.age import process_age_s
from service.commands.listener import take_private
from service.commands.open_files import room_for_connections
from service.commands.protocol import PeerLimits, bounded_protocol
from service.logs import configure_logs
from service.main import create_app
from service.memory import settle, waste_little
from service.settings import Settings
from service.version import VERSION


def run_server(settings: Settings, listener: socket.socket, siblings: Siblings = ALONE) -> None:
    """Serve at the listener until the process is told to end; raises SetupError."""
    waste_little()
    configure_logs(settings.log_level, settings.log_format, siblings.shown_number)
    app = create_app(settings, siblings)
    server = _Server(_uvicorn_config(app, settings), app.state.condition, settings.shutdown_delay_s)
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(_run(server, app, listener, siblings))


async def _run(
    server: "_Server", app: FastAPI, listener: socket.socket, siblings: Siblings
) -> None:
    # Entered here and not by uvicorn, which would print a traceback where a sentence is wanted.
    async with app.router.lifespan_context(app):
        settle()
        server.greeting = _greeting(app.state.convscope, listener, siblings.shown_number)
        # Uvicorn stops on these and then raises them again, which must not skip the clean-up.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        private = [take_private(siblings.own)] if siblings.others else []
        await server.serve(sockets=[*private, listener])


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


def _greeting(state: State, listener: socket.socket, process: int | None) -> str:
    """Return what is served where and on what, and a line for every model that is not."""
    catalog = state.catalog
    host, port = listener.getsockname()[:2]
    place = f"[{host}]" if ":" in host else host
    which = "" if process is None else f" process {process},"
    ready = [model for name in catalog.names for model in catalog.versions(name)]
    names = {model.manifest.name for model in ready}
    providers = " and ".join(sorted({model.execution_provider for model in ready})) or "nothing"
    refused = [f"refused {refusal.file}: {refusal.reason}" for refusal in catalog.refusals]
    return "\n".join(
        [
            f"convscope {VERSION} on http://{place}:{port},{which} {len(names)} "
            f"{'model' if len(names) == 1 else 'models'} ready on {providers} "
            f"in {process_age_s():.1f} s",
            *refused,
        ]
    )
