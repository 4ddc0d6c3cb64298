"""`convscope serve`."""

from typing import Any

import click

from service.commands.listener import take_port
from service.commands.options import SERVING, read_settings, settings_options
from service.commands.together import serve_together
from service.contract.errors import SetupError


@click.command()
@settings_options(SERVING)
def serve(**flags: Any) -> None:
    """Serve the models of a folder over HTTP."""
    settings = read_settings(flags)
    try:
        if settings.processes > 1:
            raise SystemExit(0 if serve_together(settings) else 1)
        with take_port(settings) as listener:
            # what the server stands on is heavy, and must not be there yet where it is forked
            from service.commands.server import run_server

            run_server(settings, listener)
    except SetupError as error:
        raise click.ClickException(str(error)) from error
