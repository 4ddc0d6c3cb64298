"""Command line options made from the settings, so that neither can be forgotten."""

from collections.abc import Callable, Iterable
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin

import click
from pydantic import ValidationError

from service.settings import ENV_PREFIX, Settings, is_secret

Command = TypeVar("Command", bound=Callable[..., Any])
# What `convscope serve` needs: everything but the secrets, which only the environment holds.
SERVING = tuple(name for name in Settings.model_fields if not is_secret(name))
# What decides where models run, and what a command needs to load them and answer with them.
PLACING = (
    "device",
    "gpu",
    "gpu_memory_bytes",
    "tensorrt_cache",
    "threads",
    "runners",
    "custom_ops",
)
LOADING = ("models_dir", *PLACING, "max_pixels", "max_audio_seconds", "max_prefix_models")


def settings_options(names: Iterable[str]) -> Callable[[Command], Command]:
    """Return a decorator that adds a flag for each of the named settings."""

    def decorate(command: Command) -> Command:
        for name in reversed(list(names)):
            command = _option(name)(command)
        return command

    return decorate


def read_settings(flags: dict[str, Any]) -> Settings:
    """Return the settings: flags that were given, over the environment, over the defaults.

    Raises: click.UsageError that names the flag or variable and what is wrong with it.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        source = _flag(name) if name in given else f"{ENV_PREFIX}{name.upper()}"
        raise click.UsageError(f"{source}={first['input']}: {first['msg']}") from error


def _option(name: str) -> Callable[[Command], Command]:
    field = Settings.model_fields[name]
    shown = "none" if field.default is None else field.default
    off = f"/{_flag('no_' + name)}" if field.annotation is bool else ""
    return click.option(
        _flag(name) + off,
        name,
        default=None,
        type=_click_type(field.annotation),
        help=f"{field.description}  [{ENV_PREFIX}{name.upper()}; default: {shown}]",
    )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _click_type(annotation: Any) -> Any:
    if isinstance(annotation, UnionType):
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is Literal:
        return click.Choice(get_args(annotation))
    known = {
        bool: click.BOOL,
        int: click.INT,
        float: click.FLOAT,
        Path: click.Path(path_type=Path),
    }
    return known.get(annotation, click.STRING)
