"""What of the OpenAPI document is the interface: no prose, nothing that a library writes its way.

tests/golden/openapi.json holds it; tests/api/interface_changes.py tells what a change means.
"""

import json
from typing import Any

from service.api.description.document import describe
from service.main import create_app
from service.settings import Settings

# Words for people, and titles that pydantic makes up; none of them is a promise.
_PROSE = {"title", "description", "summary", "example", "examples"}
# Below these, keys are names of ours and not keywords.
_OF_NAMES = {
    "properties",
    "schemas",
    "responses",
    "headers",
    "paths",
    "content",
    "securitySchemes",
}
# Lists in which the order says nothing.
_UNORDERED = {"required", "enum", "anyOf", "tags"}


def interface() -> dict[str, Any]:
    """Return the interface of a server as it comes, without keys."""
    document = describe(create_app(Settings()))
    kept = {key: document[key] for key in ("paths", "components", "security")}
    found: dict[str, Any] = _bare(kept)
    return found


def written() -> str:
    """Return it as it stands in the file."""
    return json.dumps(interface(), indent=1, sort_keys=True) + "\n"


def _bare(value: Any, names: bool = False) -> Any:
    if isinstance(value, list):
        return [_bare(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _ordered(key, _bare(each, names=not names and key in _OF_NAMES))
        for key, each in value.items()
        if names or key not in _PROSE
    }


def _ordered(key: str, value: Any) -> Any:
    if key in _UNORDERED and isinstance(value, list):
        return sorted(value, key=lambda each: json.dumps(each, sort_keys=True))
    return value
