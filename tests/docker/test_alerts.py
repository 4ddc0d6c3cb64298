import re
from pathlib import Path

import pytest
import yaml

from tests.docker.programs import DOCKER, ROOT, run, system
from tests.docker.queries import alerts

UNIT_TESTS = ROOT / "tests/docker/alerts.yaml"


@pytest.fixture(scope="module")
def promtool() -> str:
    return system("promtool", "prometheus")


def test_prometheus_takes_the_configuration_and_the_rules(promtool: str, tmp_path: Path) -> None:
    """Held against promtool, with the key where the file says that it is."""
    text = (DOCKER / "prometheus/prometheus.yaml").read_text()
    assert "/run/secrets/metrics_key" in text
    here = text.replace("/run/secrets/metrics_key", str(DOCKER / "prometheus/no-key"))
    (tmp_path / "prometheus.yaml").write_text(here)
    (tmp_path / "alerts.yaml").write_text((DOCKER / "prometheus/alerts.yaml").read_text())
    done = run(promtool, "check", "config", str(tmp_path / "prometheus.yaml"))
    assert done.returncode == 0, done.stderr
    assert f"SUCCESS: {len(alerts())} rules found" in done.stdout


def test_alerts_fire_when_they_must_and_only_then(promtool: str) -> None:
    """Prometheus' own unit tests of rules."""
    done = run(promtool, "test", "rules", str(UNIT_TESTS))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_firing_and_silent() -> None:
    """A new alert cannot come without its test."""
    cases = [
        (case["alertname"], bool(case["exp_alerts"]))
        for test in yaml.safe_load(UNIT_TESTS.read_text())["tests"]
        for case in test["alert_rule_test"]
    ]
    names = {alert["alert"] for alert in alerts()}
    assert set(cases) == {(name, fires) for name in names for fires in (True, False)}


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_alert_says_what_is_wrong_and_where_is_written_what_to_do(alert: dict) -> None:  # type: ignore[type-arg]
    """Its runbook is a section that is there."""
    notes = alert["annotations"]
    assert notes.keys() == {"summary", "action", "runbook"}
    assert alert["labels"]["severity"] in ("warning", "critical")
    file, _, anchor = notes["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / file).read_text(), re.MULTILINE)
    assert anchor in [heading.lower().replace(" ", "-") for heading in headings]
