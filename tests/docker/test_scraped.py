"""The deployment's Prometheus asks a real server, and answers what dashboard and alerts ask."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.real_server import Server, start, stop
from tests.docker.programs import DOCKER, run, system
from tests.docker.queries import Query, alert_queries, panel_queries
from tests.docker.watched import Prometheus, prometheus, wait_until, without_limit
from tests.pictures import flat
from tests.sounds import stored, tone
from tests.tiny_models import write_listener, write_model

# What is empty as long as nothing is wrong, and what needs a GPU.
SILENT = {"ConvscopeOnCpu"}
# What is wrong here: a model is refused, so that the server is not ready; and many are in a hurry.
WRONG = {"ConvscopeNotReady", "ConvscopeModelRefused", "ConvscopeErrors", "ConvscopeRefusals"}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    assert run("docker/make_keys.sh", str(folder)).returncode == 0
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, secrets: Path) -> Iterator[Server]:
    """A server with keys, that serves pictures and sounds and refuses a model."""
    root = tmp_path_factory.mktemp("models")
    write_model(root)
    write_listener(root)
    (write_model(root, "bad", 3) / "CARD.md").unlink()
    running = start(root, "--api-keys-file", str(secrets / "api_keys"), "--threads", "2")
    yield running
    assert stop(running) == 0


SENT = 18


def send(server: Server, key: str) -> None:
    """Ask for a bit of everything, well and badly."""
    with httpx.Client(base_url=server.url, headers={"x-api-key": key}) as client:
        for _ in range(3):
            assert client.post("/v1/models/colors/classify", content=flat("red")).is_success
            sound = stored(tone(1))
            assert client.post("/v1/models/loudness/classify", content=sound).is_success
            maps = "/v1/models/colors/feature-maps?layer=relu"
            assert client.post(maps, content=flat("red")).is_success
            assert client.post("/v1/models/bad/classify", content=flat("red")).status_code == 503
            assert client.post("/v1/models/colors/classify", content=b"?").status_code == 415
            hurry = {"x-request-timeout-ms": "0.001"}
            late = client.post("/v1/models/colors/classify", content=flat("red"), headers=hurry)
            assert late.status_code == 504


@pytest.fixture(scope="module")
def watching(
    server: Server, secrets: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """Prometheus that has seen the server before, while and after it was asked."""
    program = system("prometheus", "prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    key = secrets / "metrics_key"
    with prometheus(program, folder, [server.port], key) as found:
        # counters that come into being with a value have not grown: Prometheus must see them twice
        counted = 'sum(convscope_requests_total{task!="metrics"})'
        for round_ in (1, 2):
            send(server, key.read_text().strip())
            wait_until(lambda all_=round_ * SENT: found.number(counted) == all_)  # type: ignore[misc]
        wait_until(lambda: bool(found.query("ALERTS")))
        yield found


def test_server_is_scraped_with_the_key_of_the_deployment(
    server: Server, watching: Prometheus
) -> None:
    """The key that make_keys.sh gave to Prometheus opens /metrics."""
    target = watching.target(server.port)
    assert (target["health"], target["lastError"]) == ("up", "")
    assert watching.query('up{job="convscope"}')[0]["value"][1] == "1"


@pytest.mark.parametrize("query", panel_queries(), ids=lambda query: query.asked_by)
def test_panel_shows_something(watching: Prometheus, query: Query) -> None:
    """Every query of the dashboard is understood and finds what the server told."""
    found = watching.query(query.text)
    assert found
    assert not any(sample["value"][1] == "NaN" for sample in found)


@pytest.mark.parametrize("query", alert_queries(), ids=lambda query: query.asked_by)
def test_alert_measures_something(watching: Prometheus, query: Query) -> None:
    """It is understood, and what it holds against its limit is there."""
    fires = watching.query(query.text)
    assert bool(fires) is (query.asked_by in WRONG)
    assert watching.query(without_limit(query.text)) or query.asked_by in SILENT


def test_prometheus_holds_every_alert_and_the_right_ones_are_on_their_way(
    watching: Prometheus,
) -> None:
    """Prometheus evaluates the rules by itself; what is wrong here is pending until its time."""
    assert watching.rules().keys() == {query.asked_by for query in alert_queries()}

    def pending() -> set[str]:
        rules = watching.rules()
        assert {rule["health"] for rule in rules.values()} == {"ok"}
        return {name for name, rule in rules.items() if rule["state"] == "pending"}

    wait_until(lambda: pending() == WRONG, lambda: str(pending()))


def test_key_is_needed_where_there_are_keys_and_ignored_where_not(
    server: Server, tmp_path: Path
) -> None:
    """A forgotten key shows: the target is down, with the status. An open server does not care."""
    program = system("prometheus", "prometheus")
    write_model(tmp_path / "models")
    opened = start(tmp_path / "models")
    without_key = DOCKER / "prometheus/no-key"
    with prometheus(program, tmp_path, [server.port, opened.port], without_key) as found:
        assert found.target(opened.port)["health"] == "up"
        assert found.target(server.port)["health"] == "down"
        assert "401" in found.target(server.port)["lastError"]
    assert stop(opened) == 0
