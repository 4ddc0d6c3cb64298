"""`convscope add`."""

import re
import shlex
from functools import partial
from pathlib import Path
from typing import Any, get_args

import click

from service.adopt.adoption import Adopted, adopt
from service.adopt.asked import Asked, Gives, Resize
from service.adopt.findings import as_table
from service.adopt.labels import read_labels
from service.adopt.presets import PRESETS
from service.adopt.source import read_source
from service.adopt.version import Target, free_version, write_version
from service.commands.options import PLACING, read_settings, settings_options
from service.contract.errors import SetupError
from service.device import Placement
from service.loader import load_version
from service.settings import Settings
from service.wiring import placement_of

_TASKS = ("image-classification", "image-segmentation", "audio-classification")


def _numbers(_: Any, parameter: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    """Return one number, or one for each channel with commas between them."""
    try:
        return None if value is None else tuple(float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not numbers with commas between them") from None


def _size(_: Any, parameter: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """Return height and width in pixels."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+)(?:[xX](\d+))?", value)
    sides = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not all(1 <= side <= 8192 for side in sides):
        raise click.BadParameter(f"{value!r} is no size such as 224 or 180x240 (height x width)")
    return sides


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="What the model is to be called.")
@click.option("--task", required=True, type=click.Choice(_TASKS))
@click.option(
    "--labels", type=click.Path(path_type=Path), help="Names of the classes: one a line, or JSON."
)
@click.option("--preset", type=click.Choice(list(PRESETS)), help="Which numbers the net takes.")
@click.option(
    "--mean", callback=_numbers, help="Taken away from each channel; in 0..1 unless --scale."
)
@click.option("--std", callback=_numbers, help="What each channel is divided by after that.")
@click.option(
    "--scale", type=float, help="What bytes (or samples) are multiplied by first; bytes by 1/255."
)
@click.option("--layout", type=click.Choice(["NCHW", "NHWC"], case_sensitive=False))
@click.option("--channel-order", type=click.Choice(["rgb", "bgr"]))
@click.option("--size", callback=_size, help="Of the picture, where the graph takes any.")
@click.option("--resize", type=click.Choice(get_args(Resize)), help="How pictures get their size.")
@click.option(
    "--crop-fraction", type=click.FloatRange(0.05, 1), help="Share of the shorter side kept."
)
@click.option(
    "--multiple", type=click.IntRange(1, 256), default=1, help="Of which any size is one."
)
@click.option(
    "--sample-rate", "sample_rate_hz", type=click.IntRange(1000, 192_000), help="Of sounds, in Hz."
)
@click.option(
    "--window-seconds",
    "window_s",
    type=click.FloatRange(0, min_open=True),
    help="Of sounds: what the net hears at a time.",
)
@click.option(
    "--hop-seconds",
    "hop_s",
    type=click.FloatRange(0, min_open=True),
    help="From one window to the next.",
)
@click.option("--output", help="Which output holds the answer.")
@click.option("--gives", type=click.Choice(get_args(Gives)), help="What that output holds.")
@click.option("--version", type=click.IntRange(1), help="Without it, the next free one.")
@click.option("--license", "license_", default="unknown", help="What the file may be used for.")
@settings_options(("models_dir", *PLACING))
def add(
    file: Path,
    name: str,
    labels: Path | None,
    version: int | None,
    license_: str,
    **given: Any,
) -> None:
    """Make a model of a third-party ONNX file, so that it is served and can be looked into.

    What its input and output are is inferred and told; what no file tells has to be said.
    """
    settings = read_settings({key: given.pop(key) for key in ("models_dir", *PLACING)})
    try:
        number = free_version(settings.models_dir, name, version)
        texts = read_labels(labels) if labels else None
        asked = Asked(labels=texts, labels_name=str(labels), **given)
        adopted = adopt(read_source(file), asked, _on_cpu(settings))
        click.echo(as_table(adopted.findings))
        named = texts or tuple(f"class {index}" for index in range(adopted.head.classes))
        target = Target(settings.models_dir, name, number, asked.task, named, license_)
        folder = write_version(adopted, target, partial(_prove, placement_of(settings)))
    except SetupError as error:
        raise click.ClickException(str(error)) from error
    except Exception as error:  # files can be odd in ways that nobody has thought of
        told = f"{file} cannot be added: {type(error).__name__}: {error}"
        raise click.ClickException(told) from error
    click.echo(_farewell(adopted, folder, asked))


def _on_cpu(settings: Settings) -> Placement:
    return Placement("cpu", custom_ops=settings.custom_ops)


def _prove(placement: Placement, folder: Path, repository: Path) -> None:
    """Load the version as a server does; raises InvalidModel if it would be refused."""
    load_version(folder, repository, placement).session.close()


def _farewell(adopted: Adopted, folder: Path, asked: Asked) -> str:
    name, root = folder.parent.name, folder.parents[1]
    sample = "sound.wav" if asked.task == "audio-classification" else "picture.jpg"
    where = (
        "" if root == read_settings({}).models_dir else f" --models-dir {shlex.quote(str(root))}"
    )
    unsure = [found.what for found in adopted.findings if found.sure == "unknown"]
    lines = [f"Written to {folder}; it gives what {adopted.source.path.name} gives."]
    if unsure:
        lines.append(f"Nobody told: {', '.join(unsure)}. Check these first if answers are poor.")
    if not asked.labels:
        lines.append("Classes have numbers for names; --labels gives them others.")
    lines += [
        "",
        f"  convscope predict {sample} --model {name}{where}",
        f"  convscope layers {name}{where}",
        f"  convscope serve{where}",
    ]
    return "\n".join(lines)
