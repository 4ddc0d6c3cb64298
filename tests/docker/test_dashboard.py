import json
import subprocess
import sys
from itertools import combinations
from typing import Any

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.docker.programs import DOCKER
from tests.docker.queries import dashboard, panels

WRITER = DOCKER / "grafana"
WRITTEN = WRITER / "dashboards/convscope.json"
PROVISIONED = DOCKER / "grafana/provisioning"


def test_file_is_what_the_program_writes() -> None:
    """Whoever changes one changes the other: python docker/grafana/dashboard.py."""
    program = "import dashboard; print(dashboard.text(), end='')"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=WRITER, capture_output=True, text=True, check=True
    )
    assert done.stdout == WRITTEN.read_text()


def without_nothing(value: Any) -> Any:
    """Return it without members that say nothing, which some writers leave out."""
    if isinstance(value, dict):
        return {
            key: without_nothing(inner) for key, inner in value.items() if inner not in (None, {})
        }
    return [without_nothing(inner) for inner in value] if isinstance(value, list) else value


def test_grafanas_own_types_read_all_of_it() -> None:
    """What they do not know would be lost on the way through them and back."""
    register_default_plugins()
    through = json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard())))
    assert without_nothing(through) == without_nothing(dashboard())


def test_panels_have_numbers_of_their_own_and_do_not_overlap() -> None:
    """Grafana would show one over the other, within its 24 columns."""
    every = dashboard()["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    places = [panel["gridPos"] for panel in every]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


def test_every_panel_asks_the_source_that_is_provisioned() -> None:
    """By the uid, which no other installation has by chance."""
    (source,) = yaml.safe_load((PROVISIONED / "datasources/convscope.yaml").read_text())[
        "datasources"
    ]
    expected = {"type": source["type"], "uid": source["uid"]}
    for panel in panels():
        assert panel["datasource"] == expected
        assert all(target["datasource"] == expected for target in panel["targets"])
    for variable in dashboard()["templating"]["list"]:
        assert variable["datasource"] == expected


def test_dashboard_is_where_grafana_is_told_to_look() -> None:
    """The folder of the provider and of the mount are one, and the first page is in it."""
    (provider,) = yaml.safe_load((PROVISIONED / "dashboards/convscope.yaml").read_text())[
        "providers"
    ]
    folder = provider["options"]["path"]
    grafana = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]["grafana"]
    assert f"./grafana/dashboards:{folder}:ro" in grafana["volumes"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{folder}/{WRITTEN.name}"
