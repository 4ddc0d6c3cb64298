import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.settings import Settings
from tests.api.client import Client
from tests.pictures import flat
from tests.tiny_models import write_model

PATH = "/v1/models/colors/classify"
OF_COLORS = {"model": "colors", "version": "1", "execution_provider": "CPUExecutionProvider"}


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Client]:
    """A client whose server has counted nothing yet."""
    write_model(tmp_path)
    (write_model(tmp_path, "bad") / "CARD.md").unlink()
    with Client(Settings(models_dir=tmp_path, device="cpu", threads=2)) as client:
        yield client


def scrape(client: Client) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Return every sample's labels and value by name, read by Prometheus' own parser."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def value(client: Client, name: str, **labels: str) -> float:
    samples = scrape(client).get(name, [])
    return sum(number for has, number in samples if labels.items() <= has.items())


def test_requests_are_counted_by_what_was_asked_and_how_it_ended(fresh: Client) -> None:
    """Task, model, version and status code tell them apart, failures included."""
    for _ in range(3):
        fresh.post(PATH, content=flat("red"))
    fresh.post(PATH, content=b"text")
    of = {"task": "classify", "model": "colors", "version": "1"}
    assert value(fresh, "convscope_requests_total", **of, code="200") == 3
    assert value(fresh, "convscope_requests_total", **of, code="415") == 1


def test_what_nobody_serves_makes_no_new_series(fresh: Client) -> None:
    """Names come from outside; their number must not grow what the operator stores."""
    for number in range(5):
        fresh.post(f"/v1/models/m{number}/classify", content=b"x")
        fresh.get(f"/nothing/{number}")
    requests = scrape(fresh)["convscope_requests_total"]
    assert {labels["model"] for labels, _ in requests} == {""}
    assert value(fresh, "convscope_requests_total", task="none", code="404") == 5
    assert value(fresh, "convscope_requests_total", task="classify", code="404") == 5


@pytest.mark.parametrize("part", ["decode", "queue", "compute", "total"])
def test_each_item_is_in_every_histogram_of_time(fresh: Client, part: str) -> None:
    """Two files of one request are two items; the provider is a label."""
    fresh.post(PATH, files=[("file", ("a.jpg", flat("red")))] * 2)
    assert value(fresh, f"convscope_{part}_seconds_count", **OF_COLORS) == 2


def test_histograms_tell_the_same_as_the_answer(fresh: Client) -> None:
    """The sums are those of the timings that the client was told."""
    timing = fresh.post(PATH, content=flat("red")).json()["timing"]
    for part in ("decode", "compute", "total"):
        told = timing[f"{part}_ms"] / 1000
        assert value(fresh, f"convscope_{part}_seconds_sum") == pytest.approx(told, abs=1e-6)


def test_histograms_can_tell_half_of_the_deadline(fresh: Client) -> None:
    """The alert asks for the share beyond it; a longer deadline is not beyond the last bucket."""
    fresh.post(PATH, content=flat("red"))
    buckets = scrape(fresh)["convscope_total_seconds_bucket"]
    limits = [float(labels["le"]) for labels, _ in buckets]
    half_s = Settings().request_timeout_ms / 2000
    assert half_s in limits
    assert max(limit for limit in limits if limit < math.inf) >= 20 * 2 * half_s


def test_batches_are_counted_by_their_size(fresh: Client) -> None:
    """The histogram's sum is the number of items, its count that of the batches."""
    fresh.post(PATH, files=[("file", ("a.jpg", flat("red")))] * 8)
    assert value(fresh, "convscope_batch_size_sum", **OF_COLORS) == 8
    batches = value(fresh, "convscope_batch_size_count", **OF_COLORS)
    assert 1 <= batches <= 8
    assert value(fresh, "convscope_batch_size_bucket", **OF_COLORS, le="+Inf") == batches


def test_what_is_served_and_what_is_refused_can_be_watched(fresh: Client) -> None:
    """A gauge a version that answers, and the number of those that must not."""
    assert value(fresh, "convscope_model_ready", **OF_COLORS, task="image-classification") == 1
    assert value(fresh, "convscope_models_refused") == 1
    assert value(fresh, "convscope_queue_depth", **OF_COLORS) == 0
    assert value(fresh, "convscope_in_flight") == 1  # the scrape itself


def test_process_and_build_are_told(fresh: Client) -> None:
    """Memory, start time and versions, under the names that dashboards know."""
    assert value(fresh, "process_resident_memory_bytes") > 10_000_000
    ((labels, one),) = scrape(fresh)["convscope_build_info"]
    assert one == 1
    assert re.fullmatch(r"3\.\d+\.\d+\S*", labels["python"])


def test_draining_server_is_not_ready_but_answers(fresh: Client) -> None:
    """Balancers are told to look elsewhere, clients to connect again, and both get answers."""
    fresh.app.state.condition.drain()
    ready = fresh.get("/readyz")
    assert (ready.status_code, ready.json()["detail"]) == (503, "The server is shutting down.")
    answer = fresh.post(PATH, content=flat("red"))
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")
    assert value(fresh, "convscope_accepting") == 0


def test_maps_and_layers_are_counted_for_their_model(fresh: Client) -> None:
    """Who looks inside shows in the figures of the model that was looked into."""
    fresh.post("/v1/models/colors/feature-maps?layer=relu", content=flat("red"))
    fresh.get("/v1/models/colors/layers")
    for task in ("feature-maps", "layers"):
        of = {"task": task, "model": "colors", "version": "1", "code": "200"}
        assert value(fresh, "convscope_requests_total", **of) == 1
