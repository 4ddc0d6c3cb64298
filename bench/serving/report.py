"""The section of bench/RESULTS.md, one a workload."""

from collections.abc import Iterable, Sequence
from statistics import median

from bench.serving.figures import Figures
from bench.serving.servers import CONTESTANTS
from bench.serving.targets import judge
from bench.serving.variants import PLAIN, VARIANTS
from bench.serving.workloads import ALONE, CONCURRENCIES, Workload

_KEPT = {True: "yes", False: "**no**", None: "-"}
_EXPLANATION = f"""\
The bare loop decodes, resizes, runs and takes the top five like everybody, without HTTP, in one
process. "of the loop" is the throughput as a share of its fastest variant without batches in the
same round, a single caller's where requests come one at a time; "of the rest" allows for the
processors that the load generator took ("client"), "of batches" holds it against batches. "over
the loop" are CPU-ms a request beyond those of "{PLAIN.name}". p50 and p99 in ms."""


def section(workload: Workload, figures: Figures, how: str, missing: dict[str, str]) -> str:
    """Return the workload's section, in Markdown.

    how: on what and by what command it was measured.
    missing: why a server was not measured, by its name.
    """
    measured = [name for name in CONTESTANTS if figures.of(name)]
    parts = [
        f"## Serving: {workload.title}",
        how,
        _EXPLANATION,
        _loops(figures),
        _servers(figures, measured),
        _targets(workload, figures),
        "\n".join(f"- {name}: {CONTESTANTS[name].how}." for name in measured),
        "\n".join(f"- left out: {name}, {reason}" for name, reason in missing.items()),
    ]
    return "\n\n".join(part for part in parts if part)


def _loops(figures: Figures) -> str:
    rows = []
    for variant in VARIANTS:
        samples = figures.of(variant.name)
        if samples:
            rows.append(
                [
                    variant.name,
                    f"{figures.throughput(variant.name):.1f}",
                    f"{median(sample.p50_ms for sample in samples):.2f}",
                    f"{median(sample.p99_ms for sample in samples):.2f}",
                    f"{median(sample.cpu_ms for sample in samples):.3f}",
                ]
            )
    return _table(["bare loop", "pictures/s", "p50", "p99", "CPU-ms"], rows)


def _servers(figures: Figures, names: Sequence[str]) -> str:
    head = ["server", "at once", "requests/s", "of the loop", "of the rest", "of batches"]
    head += ["p50", "p99", "CPU-ms", "over the loop", "client", "errors"]
    rows = [
        [name, str(concurrency), *_server(figures, name, concurrency)]
        for concurrency in CONCURRENCIES
        for name in names
    ]
    return _table(head, rows)


def _server(figures: Figures, name: str, concurrency: int) -> list[str]:
    samples = figures.of(name, concurrency)
    limit = figures.limit(concurrency)
    rest = figures.share(name, concurrency, limit, left_over=True)
    batches = figures.limit(concurrency, batches=True)
    return [
        f"{figures.throughput(name, concurrency):.1f}",
        _number(figures.share(name, concurrency, limit)),
        # one at a time, client and server take turns: neither takes anything from the other
        _number(None if concurrency == ALONE else rest),
        _number(figures.share(name, concurrency, batches)),
        f"{median(sample.p50_ms for sample in samples):.2f}",
        f"{median(sample.p99_ms for sample in samples):.2f}",
        f"{median(sample.cpu_ms for sample in samples):.3f}",
        _number(figures.overhead_ms(name, concurrency)),
        f"{median(sample.client_cores for sample in samples):.2f}",
        str(sum(sample.errors for sample in samples)),
    ]


def _targets(workload: Workload, figures: Figures) -> str:
    verdicts = judge(workload, figures)
    rows = [[verdict.promise, verdict.measured, _KEPT[verdict.kept]] for verdict in verdicts]
    return _table(["convscope's target", "measured", "met"], rows)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = list(rows)
    if not body:
        return ""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
