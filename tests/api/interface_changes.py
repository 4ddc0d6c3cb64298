"""What changed between two OpenAPI documents, and which of it breaks clients.

An operation is laid out flat: places such as `answer 200 application/json predictions[].label`,
each with what it says there. How a library writes the same thing makes no difference.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

Document = dict[str, Any]
# What is at each place of an operation: kinds ("is string") and rules ("minimum 1", "required").
Places = dict[str, frozenset[str]]
_RULES = (
    "default",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maximum",
    "maxItems",
    "maxLength",
    "minimum",
    "minItems",
    "minLength",
    "pattern",
)


class Change(NamedTuple):
    """One difference. what: 'added', 'removed' or 'changed'."""

    breaking: bool
    what: str
    where: str

    def __str__(self) -> str:
        return f"{'BREAKING ' if self.breaking else ''}{self.what}: {self.where}"


def changes(before: Document, now: Document) -> list[Change]:
    """Return what differs, what breaks clients first."""
    old, new = _operations(before), _operations(now)
    found = [Change(True, "removed", name) for name in old.keys() - new.keys()]
    found += [Change(False, "added", name) for name in new.keys() - old.keys()]
    for name in old.keys() & new.keys():
        found += _between(name, old[name], new[name])
    return sorted(found, key=lambda change: (not change.breaking, change.where))


def _between(name: str, old: Places, new: Places) -> Iterator[Change]:
    for place in old.keys() | new.keys():
        was, is_now = old.get(place), new.get(place)
        where = f"{name}, {place}"
        if was is None:
            assert is_now is not None
            breaking = "required" in is_now and not place.startswith("answer")
            yield Change(breaking, "added", where)
        elif is_now is None:
            yield Change(True, "removed", where)
        elif was != is_now:
            told = f"{where}: {', '.join(sorted(was))} -> {', '.join(sorted(is_now))}"
            yield Change(_breaks(place, was, is_now), "changed", told)


def _breaks(place: str, was: frozenset[str], is_now: frozenset[str]) -> bool:
    """Return whether what was right before may be refused, or misunderstood, now."""
    gained, lost = is_now - was, was - is_now
    if place.startswith("answer"):
        return "required" in lost or any(token.startswith("is ") for token in gained)
    if place.startswith(("parameter", "body")):
        return any(token.startswith("is ") for token in lost) or any(
            not token.startswith("is ") for token in gained
        )
    return True


def _operations(document: Document) -> dict[str, Places]:
    return {
        f"{method.upper()} {path}": _places(operation, document)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def _places(operation: dict[str, Any], document: Document) -> Places:
    security = operation.get("security", document.get("security", []))
    places: Places = {
        "operationId": frozenset([operation["operationId"]]),
        "security": frozenset(json.dumps(each, sort_keys=True) for each in security),
    }
    for parameter in operation.get("parameters", ()):
        place = f"parameter {parameter['name']} in {parameter['in']}"
        required = {"required"} if parameter.get("required") else set()
        for path, tokens in _fields(parameter["schema"], document).items():
            places[f"{place}{path}"] = tokens | (required if not path else frozenset())
    body = operation.get("requestBody", {})
    places |= _contents("body", body, document)
    for status, answer in operation["responses"].items():
        resolved = _resolved(answer, document)
        places[f"answer {status}"] = frozenset()
        places |= _contents(f"answer {status}", resolved, document)
    return places


def _contents(place: str, described: dict[str, Any], document: Document) -> Places:
    return {
        f"{place} {media_type} {path}".rstrip(): tokens
        for media_type, content in described.get("content", {}).items()
        for path, tokens in _fields(content.get("schema", {}), document).items()
    }


def _fields(schema: dict[str, Any], document: Document) -> Places:
    found: dict[str, set[str]] = {}
    for path, token in _walk(schema, document, "", ()):
        found.setdefault(path, set()).add(token)
    return {path: frozenset(tokens) for path, tokens in found.items()}


def _walk(
    schema: dict[str, Any], document: Document, path: str, inside: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """Yield every (path, token) of the schema. inside: references that lead here."""
    reference = schema.get("$ref")
    if reference in inside:
        return
    if reference:
        schema, inside = _resolved(schema, document), (*inside, reference)
    for rule in _RULES:
        if rule in schema:
            yield path, f"{rule} {json.dumps(schema[rule])}"
    for alternative in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _walk(alternative, document, path, inside)
    for value in schema.get("enum", [schema["const"]] if "const" in schema else []):
        yield path, f"is {json.dumps(value)}"
    if "type" in schema and not {"enum", "const"} & schema.keys():
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        yield from ((path, f"is {kind}") for kind in kinds)
    yield from _walk_inner(schema, document, path, inside)


def _walk_inner(
    schema: dict[str, Any], document: Document, path: str, inside: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    for name, each in schema.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        if name in schema.get("required", ()):
            yield below, "required"
        yield from _walk(each, document, below, inside)
    for place, each in enumerate(schema.get("prefixItems", ())):
        yield from _walk(each, document, f"{path}[{place}]", inside)
    for keyword, mark in (("items", "[]"), ("additionalProperties", ".*")):
        if isinstance(schema.get(keyword), dict):
            yield from _walk(schema[keyword], document, f"{path}{mark}", inside)


def _resolved(schema: dict[str, Any], document: Document) -> dict[str, Any]:
    while "$ref" in schema:
        found: Any = document
        for key in schema["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        schema = found
    return schema
