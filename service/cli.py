"""The command line. What a command needs is imported when that command runs."""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click

from service.version import VERSION

_OWN = {
    "serve": "service.commands.serve:serve",
    "predict": "service.commands.predict:predict",
    "layers": "service.commands.layers:layers",
    "compare": "service.commands.compare:compare_models",
    "check": "service.commands.check:check",
    "add": "service.commands.add:add",
    "bench": "service.commands.bench:bench",
}
_GROUP = "convscope.commands"
_INTERRUPTED = 130  # as shells tell of it: 128 and the number of SIGINT


class _Commands(click.Group):
    """Our own commands, and those that other packages bring as entry points."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_OWN, *_brought()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _OWN:
            command: click.Command = EntryPoint(cmd_name, _OWN[cmd_name], _GROUP).load()
            return command
        brought = _brought().get(cmd_name)
        return None if brought is None else _load(brought)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List what others bring by name only: loading it would take seconds."""
        own = [(name, self.get_command(ctx, name)) for name in _OWN]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, command.get_short_help_str(80)) for name, command in own if command]
            )
        with formatter.section("Commands of the train extra"):
            formatter.write_dl([(name, f"see convscope {name} --help") for name in _brought()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            name = ctx.invoked_subcommand or ""
            if name not in _brought():
                raise
            raise _needs_extra(name, error) from error
        except KeyboardInterrupt:  # click would say 1, which commands have other meanings for
            raise SystemExit(_INTERRUPTED) from None


class _NeedsExtra(click.ClickException):
    exit_code = 2


def _needs_extra(name: str, error: ModuleNotFoundError) -> _NeedsExtra:
    return _NeedsExtra(
        f"convscope {name} needs the train extra: pip install 'convscope[train]' "
        f"({error.name} is not installed)"
    )


def _brought() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=_GROUP)}


def _load(entry: EntryPoint) -> click.Command:
    try:
        command: click.Command = entry.load()
    except ModuleNotFoundError as error:
        raise _needs_extra(entry.name, error) from error
    return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="convscope")
def main() -> None:
    """Serve convolutional networks over HTTP and see into the ones you serve."""
