"""The options of `convscope predict` that belong to --out, and what is made of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeVar

import click

from service.api.by_content import CLASSIFY
from service.api.segment_query import SegmentQuery
from service.codecs.image import SUFFIXES
from service.codecs.sound import SOUND_SUFFIXES
from service.commands.catalog import catalog_for
from service.commands.options import read_settings
from service.commands.predict_out import NotBegun, Sweep
from service.contract.errors import ConvscopeError, InvalidParameter
from service.cpus import available_cpus
from service.sweep.inputs import STANDARD_INPUT, Inputs
from service.tasks.catalog import Catalog, ServedModel
from service.wiring import runners_of

Command = TypeVar("Command", bound=Callable[..., Any])
_LARGEST_FILE = 256 * 1024 * 1024
_OPTIONS = (
    click.option(
        "--out",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write the answers into this file: .jsonl, .csv or .parquet.",
    ),
    click.option("--recursive", is_flag=True, help="Search folders all the way down."),
    click.option(
        "--from-file",
        "listing",
        help="With --out: a file that holds a path a line; - for standard input.",
    ),
    click.option(
        "-0", "--null", is_flag=True, help="Paths in it end with NUL, as of find -print0."
    ),
    click.option("--restart", is_flag=True, help="With --out: begin anew, whatever is there."),
    click.option("--quiet", is_flag=True, help="With --out: tell only what went wrong."),
    click.option(
        "--max-file-bytes",
        type=click.IntRange(1),
        default=_LARGEST_FILE,
        show_default=True,
        help="With --out: larger files are not read.",
    ),
)


@dataclass(frozen=True)
class Into:
    """Where the answers go and what they are of, beside the paths."""

    out: Path | None
    recursive: bool
    listing: str | None
    null: bool
    restart: bool
    quiet: bool
    max_file_bytes: int

    def check_unused(self) -> None:
        """Raise click.UsageError if there is something that has no meaning without --out."""
        given = {"--from-file": self.listing, "--null": self.null, "--restart": self.restart}
        for name, value in (given | {"--quiet": self.quiet}).items():
            if value:
                raise click.UsageError(f"{name} is for answers that go into a file: --out.")


class Asked(NamedTuple):
    """What is asked of every file."""

    model: str | None
    version: int | None
    top_k: int
    query: SegmentQuery
    save: Path | None


def out_options(command: Command) -> Command:
    """Add the options, which the command gets as `into`."""

    @wraps(command)
    def call(**given: Any) -> Any:
        own = {name: given.pop(name) for name in Into.__dataclass_fields__}
        return command(into=Into(**own), **given)

    decorated: Any = call
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def sweep_into(
    out: Path, paths: Sequence[Path], into: Into, asked: Asked, flags: dict[str, Any]
) -> NoReturn:
    """Answer all files into `out`; ends the command. Raises: click.ClickException."""
    settings = read_settings(flags)
    if not paths and into.listing is None:
        raise click.UsageError("Missing argument 'PATHS...', or --from-file.")
    listing = Path(into.listing or "")
    if into.listing not in (None, STANDARD_INPUT) and (not listing.exists() or listing.is_dir()):
        raise click.UsageError(f"--from-file={into.listing}: there is no such file.")
    # Every thread of ours runs the model by itself, with its share of the processors.
    workers = runners_of(settings)
    threads = max(1, (settings.threads or available_cpus()) // workers)
    one_run = {**flags, "threads": threads, "runners": 1}
    try:
        model = _model(catalog_for(one_run, only=asked.model), asked)
    except (ConvscopeError, click.ClickException) as error:
        if isinstance(error, click.UsageError):
            raise
        raise NotBegun(getattr(error, "message", str(error))) from error
    _check(model, asked, paths)
    kinds = SOUND_SUFFIXES if model.listens else SUFFIXES
    inputs = Inputs(list(map(str, paths)), into.listing, into.null, into.recursive, kinds)
    Sweep(
        model=model,
        inputs=inputs,
        out=out,
        top_k=asked.top_k,
        query=asked.query,
        save=asked.save,
        restart=into.restart,
        quiet=into.quiet,
        max_file_bytes=into.max_file_bytes,
        settings=settings,
    ).run()


def _model(catalog: Catalog, asked: Asked) -> ServedModel:
    """Return the one model that answers everything: the default if it is clear which."""
    if asked.model:
        return catalog.get(asked.model, asked.version)
    offered = CLASSIFY.offered(catalog)
    if len(offered) > 1:
        raise click.UsageError(
            "There are models for pictures and for sounds: say with --model which answers."
        )
    return catalog.get(catalog.default(offered[0]).manifest.name, asked.version)


def _check(model: ServedModel, asked: Asked, paths: Sequence[Path]) -> None:
    """Raise click.UsageError for what does not fit the model."""
    segments, save = model.verb == "segment", asked.save
    if save and (model.listens or not segments):
        raise click.UsageError("--save is for segmenters of pictures.")
    if save and any(save.resolve() == path.resolve() for path in paths):
        raise click.UsageError(f"--save={save}: masks would be taken for pictures there.")
    if segments:
        try:
            asked.query.check_kind(sounds=model.listens)
        except InvalidParameter as error:
            raise click.UsageError(str(error)) from error
