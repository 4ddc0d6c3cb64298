"""The interface changes on purpose only."""

import copy
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.api.interface_changes import changes

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

import interface_snapshot  # noqa: E402

SNAPSHOT = ROOT / "tests" / "golden" / "openapi.json"
CLASSIFY = "/v1/models/{name}/classify"


def test_interface_is_the_one_that_was_agreed() -> None:
    """What clients see is what tests/golden/openapi.json says."""
    found = changes(json.loads(SNAPSHOT.read_bytes()), interface_snapshot.interface())

    told = "\n".join(map(str, found))
    assert not found, (
        f"The interface is not that of tests/golden/openapi.json:\n{told}\n"
        "If that is meant, accept it with `python docs/generate.py` and a line in CHANGELOG.md; "
        "what is breaking is against the promise in docs/compatibility.md."
    )


def test_words_and_ways_of_writing_are_no_change() -> None:
    """Descriptions, titles, the order of alternatives and where a schema stands do not matter."""
    before = json.loads(SNAPSHOT.read_bytes())
    now = copy.deepcopy(before)
    operation = now["paths"][CLASSIFY]["post"]
    operation["description"] = "Other words."
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    schema["anyOf"].reverse()
    for place, each in enumerate(schema["anyOf"]):
        name = each["$ref"].rpartition("/")[2]
        schema["anyOf"][place] = now["components"]["schemas"][name]

    assert changes(before, now) == []


def remove_operation(now: dict[str, Any]) -> None:
    del now["paths"]["/v1/models"]


def remove_field(now: dict[str, Any]) -> None:
    del now["components"]["schemas"]["PredictionOut"]["properties"]["probability"]


def require_parameter(now: dict[str, Any]) -> None:
    parameter = {"name": "why", "in": "query", "required": True, "schema": {"type": "string"}}
    now["paths"][CLASSIFY]["post"]["parameters"].append(parameter)


def let_be_null(now: dict[str, Any]) -> None:
    label = now["components"]["schemas"]["PredictionOut"]["properties"]["label"]
    label["type"] = ["string", "null"]


def rename(now: dict[str, Any]) -> None:
    now["paths"][CLASSIFY]["post"]["operationId"] = "classify_it"


def tighten(now: dict[str, Any]) -> None:
    (top_k,) = (p for p in now["paths"][CLASSIFY]["post"]["parameters"] if p["name"] == "top_k")
    top_k["schema"]["maximum"] = 5


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (remove_operation, "BREAKING removed: GET /v1/models"),
        (
            remove_field,
            f"BREAKING removed: POST {CLASSIFY}, answer 200 application/json "
            "predictions[].probability",
        ),
        (require_parameter, f"BREAKING added: POST {CLASSIFY}, parameter why in query"),
        (let_be_null, f"BREAKING changed: POST {CLASSIFY}, answer 200 application/json"),
        (rename, f"BREAKING changed: POST {CLASSIFY}, operationId: classify -> classify_it"),
        (tighten, f"BREAKING changed: POST {CLASSIFY}, parameter top_k in query"),
    ],
)
def test_what_breaks_clients_is_called_breaking(change: Any, told: str) -> None:
    """Each of these changes is told with its operation, and named for what it is."""
    before = json.loads(SNAPSHOT.read_bytes())
    now = copy.deepcopy(before)
    change(now)

    assert any(str(found).startswith(told) for found in changes(before, now))


def test_what_is_added_breaks_nobody() -> None:
    """A new operation, a new field and a new optional parameter are told, and no more."""
    now = json.loads(SNAPSHOT.read_bytes())
    before = copy.deepcopy(now)
    remove_operation(before)
    remove_field(before)
    before["paths"][CLASSIFY]["post"]["parameters"].pop()

    found = changes(before, now)
    assert {change.what for change in found} == {"added"}
    assert not any(change.breaking for change in found)
