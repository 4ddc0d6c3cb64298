"""Examples of requests and answers, as the server once gave them: one file an operation.

`python docs/generate.py` writes the files; docs/interface.py has the requests.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "examples"
PROBLEMS = "problems"


@cache
def read(name: str) -> dict[str, Any]:
    """Return the examples of the operation, or under PROBLEMS those of errors; maybe none."""
    file = FOLDER / f"{name}.json"
    if not file.exists():
        return {}
    found: dict[str, Any] = json.loads(file.read_bytes())
    return found


def put(operation: dict[str, Any]) -> None:
    """Give the operation its examples, where it has none of its own."""
    found = read(operation["operationId"])
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in found.get("parameters", {}):
            _show(parameter, found["parameters"][parameter["name"]])
    bodies = operation.get("requestBody", {}).get("content", {})
    answers = operation["responses"]["200"].get("content", {})
    for contents, examples in (
        (bodies, found.get("bodies", {})),
        (answers, found.get("answers", {})),
    ):
        for media_type, by_title in examples.items():
            content = contents.get(media_type, {})
            if "example" not in content and "examples" not in content:
                content["examples"] = {title: {"value": value} for title, value in by_title.items()}


def _show(parameter: dict[str, Any], value: Any) -> None:
    """Add the example; of what may be left out it goes to where no form fills it in."""
    if "example" in parameter or "examples" in parameter:
        return
    if parameter.get("required"):
        parameter["example"] = value
    else:
        parameter["schema"].setdefault("examples", [value])
