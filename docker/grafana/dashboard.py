"""Writes dashboards/convscope.json, with the builders that Grafana publishes for that.

    python docker/grafana/dashboard.py

The order of the file is that of the page, from "is all well" down to "what runs where".
"""

from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    ValueMap,
    ValueMappingResult,
)
from panels import SOURCE, Panel, choice, figure, lines, rows

FILE = Path(__file__).parent / "dashboards" / "convscope.json"
# What was chosen at the top of the page.
HERE = 'job="convscope", instance=~"$instance"'
MODELS = f'{HERE}, model=~"$model"'
# Not the questions of orchestrators and of Prometheus itself.
ASKED = f'{MODELS}, task!~"livez|readyz|live|ready|metrics"'
RATE = "$__rate_interval"
VERSION = "model, version"
BY_VERSION = "{{model}}/{{version}}"
QUANTILES = (0.5, 0.95, 0.99)
PARTS = {
    "total": "From the moment the bytes were there until the answer was.",
    "queue": "Waiting for a free runner, or for the rest of the batch.",
    "decode": "Bytes to model input, resizing included.",
    "compute": "The graph, for the whole batch that the item was in.",
}


def dashboard() -> Dashboard:
    """Return the whole page."""
    page = (
        Dashboard("convscope")
        .uid("convscope")
        .tags(["convscope"])
        .editable()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .refresh("10s")
        .time("now-1h", "now")
        .with_variable(choice("instance", "label_values(convscope_build_info, instance)"))
        .with_variable(choice("model", "label_values(convscope_model_ready, model)"))
    )
    rows = {
        "Is all well?": well(),
        "Requests": requests(),
        "Where the time goes": times(),
        "Load": load(),
        "Memory": memory(),
        "What runs where": running(),
    }
    number = 0
    for title, panels in rows.items():
        number += 1
        page.with_row(Row(title).id(number))
        for panel in panels:
            number += 1
            page.with_panel(panel.id(number).datasource(SOURCE))
    return page


def well() -> list[Panel]:
    """Return one figure for each thing that should be looked at first."""
    ready = ValueMap(
        {
            "0": ValueMappingResult(text="not ready", color="red"),
            "1": ValueMappingResult(text="ready", color="green"),
        },
    )
    errors = share_of_requests('code=~"5..", code!="503"')
    slowest = (
        f"max({quantile(0.99, 'total', VERSION)}) "
        f"/ max(convscope_request_timeout_seconds{{{HERE}}})"
    )
    taken = (
        f"max(sum by (instance) (process_resident_memory_bytes{{{HERE}}}) "
        f"/ max by (instance) (convscope_memory_limit_bytes{{{HERE}}}))"
    )
    return [
        figure("Ready", f"min(up{{{HERE}}}) * min(convscope_ready{{{HERE}}})", "none")
        .mappings([ready])
        .no_value("down"),
        figure("Requests", f"sum(rate(convscope_requests_total{{{ASKED}}}[{RATE}]))", "reqps"),
        figure("Errors (5xx but 503)", errors, "percentunit", warn=0.01, alarm=0.05),
        figure("Refused (503)", share_of_requests('code="503"'), "percentunit", 0.001, 0.01),
        figure("p99, share of the deadline", slowest, "percentunit", 0.25, 0.5),
        figure("Memory, share of the limit", taken, "percentunit", 0.8, 0.9),
        figure("Models refused", f"max(convscope_models_refused{{{HERE}}})", "none", alarm=1),
        figure("Up for", f"time() - max(process_start_time_seconds{{{HERE}}})", "s"),
    ]


def requests() -> list[Panel]:
    """Return what is asked, and how it ends."""
    rate = f"rate(convscope_requests_total{{{ASKED}}}[{RATE}])"
    flight = f"sum by (instance) (convscope_in_flight{{{HERE}}})"
    return [
        lines("Requests by task", {"{{task}}": f"sum by (task) ({rate})"}, "reqps"),
        lines("Requests by model", {BY_VERSION: f"sum by ({VERSION}) ({rate})"}, "reqps"),
        lines("Requests by status", {"{{code}}": f"sum by (code) ({rate})"}, "reqps"),
        lines(
            "Share of requests that failed",
            {
                "5xx but 503": share_of_requests('code=~"5..", code!="503"'),
                "503: refused": share_of_requests('code="503"'),
                "504: too late": share_of_requests('code="504"'),
                "4xx": share_of_requests('code=~"4.."'),
            },
            "percentunit",
            "503: a full queue, or a model that is not ready. 504 is among the 5xx too.",
        ),
        lines("Requests being answered", {"{{instance}}": flight}, "short"),
        lines(
            "Sound answered",
            {
                BY_VERSION: f"sum by ({VERSION}) "
                f"(rate(convscope_sound_seconds_total{{{MODELS}}}[{RATE}]))"
            },
            "short",
            "Seconds of sound that are answered in each second.",
        ),
    ]


def times() -> list[Panel]:
    """Return the quantiles of each part of the time."""
    return [
        lines(
            part.capitalize(),
            {
                f"p{round(100 * share)} {BY_VERSION}": quantile(share, part, VERSION)
                for share in QUANTILES
            },
            "s",
            what,
            width=12,
        )
        for part, what in PARTS.items()
    ]


def load() -> list[Panel]:
    """Return how much of what there is, is taken."""
    runners = f"sum by (instance) (convscope_runners_busy{{{HERE}}})"
    size = f"rate(convscope_batch_size_sum{{{MODELS}}}[{RATE}])"
    batches = f"rate(convscope_batch_size_count{{{MODELS}}}[{RATE}])"
    buckets = f"rate(convscope_batch_size_bucket{{{MODELS}}}[{RATE}])"
    largest = f"histogram_quantile(0.95, sum by ({VERSION}, le) ({buckets}))"
    return [
        lines(
            "Queue, share of its limit",
            {
                BY_VERSION: f"max by ({VERSION}) (convscope_queue_depth{{{MODELS}}} "
                f"/ on (instance, process) group_left convscope_queue_limit{{{HERE}}})"
            },
            "percentunit",
            "At 100 % the next request is answered 503.",
        ),
        lines(
            "Items that wait, and in hand",
            {
                f"waiting {BY_VERSION}": f"sum by ({VERSION}) (convscope_queue_depth{{{MODELS}}})",
                f"in hand {BY_VERSION}": f"sum by ({VERSION}) (convscope_in_hand{{{MODELS}}})",
            },
            "short",
        ),
        lines(
            "Runners busy",
            {
                "{{instance}}": f"{runners} / sum by (instance) (convscope_runners{{{HERE}}})",
            },
            "percentunit",
            "Threads that decode and compute. Near 100 % the machine has no more to give.",
        ),
        lines(
            "Batch size",
            {
                f"mean {BY_VERSION}": f"sum by ({VERSION}) ({size}) / sum by ({VERSION}) "
                f"({batches})",
                f"p95 {BY_VERSION}": largest,
            },
            "short",
        ),
        lines(
            "Processors used",
            {
                "{{instance}}": f"sum by (instance) (rate(process_cpu_seconds_total{{{HERE}}}"
                f"[{RATE}]))"
            },
            "short",
        ),
        lines(
            "Feature maps and the like that wait or are worked on",
            {"{{instance}}": f"sum by (instance) (convscope_chores{{{HERE}}})"},
            "short",
        ),
    ]


def memory() -> list[Panel]:
    """Return what takes memory, and the limits of it."""
    found = (
        f"1 - sum by ({VERSION}) (increase(convscope_prefix_made_total{{{MODELS}}}[$__range])) "
        f"/ (sum by ({VERSION}) (increase(convscope_prefix_asked_total{{{MODELS}}}[$__range])) > 0)"
    )
    return [
        lines(
            "Memory of the processes",
            {
                "{{instance}}": f"sum by (instance) (process_resident_memory_bytes{{{HERE}}})",
                "limit {{instance}}": f"max by (instance) (convscope_memory_limit_bytes{{{HERE}}})",
            },
            "bytes",
        ),
        lines(
            "Weights",
            {BY_VERSION: f"sum by ({VERSION}) (convscope_model_memory_bytes{{{MODELS}}})"},
            "bytes",
        ),
        lines(
            "Sub-models for feature maps",
            {BY_VERSION: f"sum by ({VERSION}) (convscope_prefix_bytes{{{MODELS}}})"},
            "bytes",
            "Cut when a layer is first asked for; those used last are kept.",
        ),
        lines(
            "Sub-models that are kept",
            {BY_VERSION: f"sum by ({VERSION}) (convscope_prefix_models{{{MODELS}}})"},
            "short",
        ),
        lines(
            "Share of sub-models found in the cache",
            {BY_VERSION: found},
            "percentunit",
            "Over the time shown. Low: raise CONVSCOPE_MAX_PREFIX_MODELS or _BYTES.",
        ),
        lines(
            "Open files, share of the limit",
            {
                "{{instance}}": f"max by (instance) (process_open_fds{{{HERE}}} "
                f"/ process_max_fds{{{HERE}}})"
            },
            "percentunit",
        ),
    ]


def running() -> list[Panel]:
    """Return what is served, on which device, by which version, and what is wrong with it."""
    ready = "count by (model, version, task, execution_provider, instance)"
    return [
        rows("Models and their device", f"{ready} (convscope_model_ready{{{MODELS}}})", 16),
        rows(
            "Models refused",
            f"max by (model, version, instance) (convscope_model_refused{{{MODELS}}})",
            8,
            "Why is in GET /v1/models and in the log.",
        ),
        rows(
            "Versions",
            f"max by (instance, version, python, onnxruntime) (convscope_build_info{{{HERE}}})",
            8,
        ),
        rows(
            "Device that was asked for",
            f"max by (instance, device, gpu) (convscope_device_info{{{HERE}}})",
            8,
        ),
        rows("Alerts", 'ALERTS{job="convscope", instance=~"$instance"}', 8),
        lines(
            "Processes started",
            {
                "{{instance}}": f"sum by (instance) (changes(process_start_time_seconds{{{HERE}}}"
                f"[{RATE}]))"
            },
            "short",
            width=24,
        ),
    ]


def share_of_requests(which: str) -> str:
    """Return the query for the share of all requests; none of them is a share of 0."""
    rate = f"sum(rate(convscope_requests_total{{{ASKED}, {which}}}[{RATE}])) or vector(0)"
    return f"({rate}) / sum(rate(convscope_requests_total{{{ASKED}}}[{RATE}]))"


def quantile(share: float, part: str, by: str) -> str:
    """Return the query for the time that so many items do not exceed."""
    buckets = f"rate(convscope_{part}_seconds_bucket{{{MODELS}}}[{RATE}])"
    return f"histogram_quantile({share}, sum by ({by}, le) ({buckets}))"


def text() -> str:
    """Return the file's text."""
    return JSONEncoder(sort_keys=True, indent=2).encode(dashboard().build()) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
