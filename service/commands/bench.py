"""`convscope bench`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from service.commands.inputs import input_files
from service.load import (
    Answer,
    InvalidTarget,
    Job,
    Progress,
    Report,
    Target,
    Unanswered,
    probe,
    run,
)
from service.load.sample import SIZE_PX, sample_jpeg

_CLOSED, _OPEN = 8, 512
# What the next request would be told too, whichever picture it carries.
_HOPELESS = {301, 302, 303, 307, 308, 401, 403, 404, 405}
_BAR = 24
_MORE_THAN_ZERO = click.FloatRange(0, min_open=True)


@click.command()
@click.argument("url", default="http://127.0.0.1:8000")
@click.option("--model", help="Which model; without it the server's default one.")
@click.option(
    "--task",
    default="classify",
    show_default=True,
    help="Last part of the route, parameters included, such as 'classify?top_k=1'.",
)
@click.option(
    "--data",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file or a folder of pictures; several times for several. Without it a picture that is "
    "made here.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1),
    help=f"Connections; with --rate the most there may be.  [default: {_CLOSED}; {_OPEN}]",
)
@click.option(
    "--rate",
    type=_MORE_THAN_ZERO,
    help="Requests a second, whether the former are answered or not; Poisson arrivals.",
)
@click.option("--duration", type=_MORE_THAN_ZERO, default=10, show_default=True, help="Seconds.")
@click.option(
    "--warmup",
    type=click.FloatRange(0),
    default=1,
    show_default=True,
    help="Seconds before, which are not measured.",
)
@click.option(
    "--timeout",
    type=_MORE_THAN_ZERO,
    default=30,
    show_default=True,
    help="Seconds after which a request is given up.",
)
@click.option("--seed", default=0, show_default=True, help="Decides the order and the arrivals.")
@click.option(
    "--api-key", envvar="CONVSCOPE_API_KEY", show_envvar=True, help="Sent as a bearer token."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def bench(
    url: str,
    model: str | None,
    task: str,
    paths: tuple[Path, ...],
    concurrency: int | None,
    rate: float | None,
    duration: float,
    warmup: float,
    timeout: float,
    seed: int,
    api_key: str | None,
    as_json: bool,
) -> None:
    """Put load on a running server and measure how it answers.

    Without --rate each connection asks again when it is answered. Ctrl-C ends it early.
    The exit code is 1 if nothing was answered well.
    """
    bodies = _read(paths) if paths else [sample_jpeg()]
    data = _described(bodies) if paths else "a JPEG of {} x {} made here".format(*SIZE_PX)
    target = _target(url, model, task, api_key)
    connections = concurrency or (_CLOSED if rate is None else _OPEN)
    job = Job(target, bodies, connections, duration, warmup, timeout, rate, seed)
    _try_once(job)
    report = _run(job)
    if as_json:
        click.echo(json.dumps({"url": report.url, "model": model, "data": data} | report.as_json()))
    else:
        click.echo(_text(report, job, data))
    if not report.ok:
        raise click.ClickException(report.why_nothing())


def _target(url: str, model: str | None, task: str, api_key: str | None) -> Target:
    place = f"models/{quote(model, safe='')}/{task}" if model else task
    headers = {"Content-Type": "application/octet-stream", "Accept": "application/json"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    try:
        return Target(f"{url.rstrip('/')}/v1/{place}", headers)
    except InvalidTarget as error:
        raise click.ClickException(str(error)) from error


def _read(paths: tuple[Path, ...]) -> list[bytes]:
    try:
        return [file.read_bytes() for file in input_files(paths, ("pictures",))]
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error


def _described(bodies: list[bytes]) -> str:
    size = sum(map(len, bodies))
    return f"{len(bodies):,} {'file' if len(bodies) == 1 else 'files'}, {size:,} bytes"


def _try_once(job: Job) -> None:
    """Tell at once what would be the answer to everything, such as that there is no such model."""
    try:
        answer: Answer = probe(job.target, job.bodies[0], job.timeout_s)
    except Unanswered as error:
        raise click.ClickException(str(error)) from error
    if answer.status in _HOPELESS:
        raise click.ClickException(f"{job.target.url} answers {answer}")


def _run(job: Job) -> Report:
    if not sys.stderr.isatty():
        return run(job)
    try:
        return run(job, _show)
    finally:
        click.echo("\r\x1b[K", err=True, nl=False)


def _show(progress: Progress) -> None:
    done = min(max(progress.elapsed_s / progress.duration_s, 0), 1)
    bar = "#" * round(_BAR * done)
    if progress.elapsed_s < 0:
        said = "warming up"
    elif progress.elapsed_s < progress.duration_s:
        said = f"{progress.elapsed_s:.1f} of {progress.duration_s:g} s"
    else:
        said = "waiting for the last answers"
    counts = f"{progress.ok:,} ok, {progress.refused:,} refused, {progress.failed:,} failed"
    click.echo(f"\r[{bar:<{_BAR}}] {said}: {counts}\x1b[K", err=True, nl=False)


def _text(report: Report, job: Job, data: str) -> str:
    if report.rate is None:
        load = f"{report.concurrency:,} connections"
    else:
        load = f"{report.rate:g} requests a second on at most {report.concurrency:,} connections"
    early = ", ended early" if report.ended_early else ""
    rows = [
        ("answers", f"{report.throughput:,.1f} ok a second; {report.ok:,} ok of {report.sent:,}"),
        ("statuses", _counts(report.statuses)),
        ("errors", _counts(report.errors)),
        ("latency, ms", _figures(report.latency_ms)),
        ("refused, ms", _figures(report.refused_latency_ms)),
        ("time", _shares(report.time_share)),
        ("batches", f"{report.mean_batch_size:.2f} on average" if report.mean_batch_size else ""),
        ("connections", f"{report.connections:,} opened"),
        ("client", _cost(report)),
    ]
    return "\n".join(
        [
            report.url,
            f"{load}, {data}, {report.duration_s:.1f} s after {job.warmup_s:g} s{early}",
            *(f"{name:<13}{text}" for name, text in rows if text),
        ]
    )


def _counts(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{name}: {n:,}" for name, n in counts.items())


def _figures(figures: dict[str, float] | None) -> str:
    return "  ".join(f"{name} {value:,.2f}" for name, value in (figures or {}).items())


def _shares(shares: dict[str, float] | None) -> str:
    return "  ".join(f"{name} {share:.1%}" for name, share in (shares or {}).items())


def _cost(report: Report) -> str:
    """Say what generating cost, since it is no server's fault where a core was not enough."""
    share = report.client_cpu_s / report.duration_s if report.duration_s else 0.0
    hint = "; the generator is at its limit, the server may not be" if share > 0.9 else ""
    return f"{share:.0%} of a core{hint}"
