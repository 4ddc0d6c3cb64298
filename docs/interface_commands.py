"""The command line as it tells of itself, for docs/commands.md."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from service.cli import main
from service.settings import ENV_PREFIX

# Its options are the settings, which docs/operate.md has.
_SETTINGS = "serve"


def commands_told() -> str:
    """Return a section for every command: how it is called, what it does, its options."""
    return "\n\n".join(_section(name, command) for name, command in commands())


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its name, those of the train extra too."""
    assert isinstance(main, click.Group)
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        yield name, command


def _section(name: str, command: click.Command) -> str:
    with click.Context(command, info_name=f"convscope {name}") as context:
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [f"### convscope {name}", f"`{usage}`", *_paragraphs(command.help or "")]
    if name == _SETTINGS:
        parts.append("The options are the [settings](operate.md#settings).")
        return "\n\n".join(parts)
    own, settings = _options(command)
    if own:
        parts.append("\n".join(["| option | default | what |", "|---|---|---|", *map(_row, own)]))
    if settings:
        flags = ", ".join(f"`{option.opts[0]}`" for option in settings)
        parts.append(f"And of the [settings](operate.md#settings) {flags}.")
    return "\n\n".join(parts)


def _paragraphs(text: str) -> Iterator[str]:
    """Yield a help text as Markdown; a paragraph whose lines are not to be filled is a list."""
    prose: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        if "\b" not in paragraph:
            prose += paragraph.split()
            continue
        lines = paragraph.replace("\b", "").strip().splitlines()
        yield " ".join(prose)
        yield "\n".join("- " + " ".join(line.split()) for line in lines)
        prose = []
    if prose:
        yield " ".join(prose)


def _options(command: click.Command) -> tuple[list[click.Option], list[click.Option]]:
    """Return the command's own options, and those that are settings of the server too."""
    shown = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    settings = [option for option in shown if f"[{ENV_PREFIX}" in (option.help or "")]
    return [option for option in shown if option not in settings], settings


def _row(option: click.Option) -> str:
    called = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    what = " ".join((option.help or "").split())
    if isinstance(option.type, click.Choice):
        what = f"{what} One of {', '.join(f'`{choice}`' for choice in option.type.choices)}."
    if option.show_envvar and option.envvar:
        what = f"{what} `{option.envvar}` in the environment."
    return f"| {called} | {_default(option)} | {what.strip().replace('|', chr(92) + '|')} |"


def _default(option: click.Option) -> str:
    value: Any = option.to_info_dict()["default"]
    if option.required:
        return "must be given"
    if option.is_flag or value is None or callable(value):
        return ""
    return f"`{value.as_posix() if isinstance(value, Path) else value}`"
