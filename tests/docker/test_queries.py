import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.settings import Settings
from tests.api.client import Client
from tests.docker.programs import ROOT
from tests.docker.queries import (
    Inventory,
    Query,
    alert_queries,
    panel_queries,
    unknown,
    variable_queries,
)
from tests.pictures import flat
from tests.sounds import stored, tone
from tests.tiny_models import write_listener, write_model

QUERIES = [*panel_queries(), *alert_queries()]
# Prometheus itself adds these, and `process` is there where several processes serve.
ADDED = {"job", "instance", "process"}
OF_PROMETHEUS = {"up": ADDED, "ALERTS": ADDED}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a server tells that has answered pictures and sounds and refuses a model."""
    root = tmp_path_factory.mktemp("models")
    write_model(root)
    write_listener(root)
    (write_model(root, "bad") / "CARD.md").unlink()
    with Client(Settings(models_dir=root, device="cpu", threads=1)) as client:
        for model, body in (("colors", flat("red")), ("loudness", stored(tone(1)))):
            answer = client.post(f"/v1/models/{model}/classify", content=body)
            assert answer.status_code == 200, answer.text
        return client.get("/metrics").text


@pytest.fixture(scope="module")
def inventory(served: str) -> Inventory:
    found: Inventory = {}
    for family in text_string_to_metric_families(served):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels, ADDED)
    return found | OF_PROMETHEUS


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.asked_by)
def test_query_uses_only_metrics_and_labels_that_the_server_has(
    inventory: Inventory, query: Query
) -> None:
    """A renamed metric must not leave an empty panel or an alert that never fires."""
    assert "$" not in query.text
    assert unknown(query.parsed, inventory) == set()


def test_variables_choose_among_what_the_server_has(inventory: Inventory) -> None:
    """What can be chosen at the top of the page comes from labels that are there."""
    for metric, label in variable_queries():
        assert label in inventory[metric]


@pytest.mark.parametrize(
    "text",
    [
        "convscope_queue_dept",
        'convscope_ready{colour="red"}',
        "sum by (colour) (rate(convscope_requests_total[5m]))",
        "convscope_ready * on (colour) convscope_runners",
        "max(convscope_ready) and absent(convscope_nothing)",
        "max_over_time(convscope_nothing[5m:1m])",
    ],
)
def test_what_is_not_there_is_found_wherever_it_stands(inventory: Inventory, text: str) -> None:
    """The check would not be one if it passed over parts of a query."""
    assert len(unknown(Query("", text).parsed, inventory)) == 1


def test_every_metric_is_documented_and_every_documented_one_exists(served: str) -> None:
    """Names in docs/operate.md are whole, so that they can be searched for."""
    told = set(re.findall(r"^# TYPE (convscope_\w+) ", served, re.MULTILINE))
    told = {name for name in told if not name.endswith("_created")}
    section = (ROOT / "docs/operate.md").read_text().partition("\n## Metrics")[2]
    section = section.partition("\n## ")[0]
    documented = set(re.findall(r"^\| (.*?) \|", section, re.MULTILINE))
    names = {name for cell in documented for name in re.findall(r"`(convscope_\w+)`", cell)}
    assert names == told
