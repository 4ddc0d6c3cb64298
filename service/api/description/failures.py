"""Which errors an operation can be answered with, concluded from what it takes and gives."""

from typing import Any

from service.api.description.texts import RETRY_AFTER
from service.api.problems import FOREIGN, MEDIA_TYPE
from service.api.schemas import Problem

JSON = "application/json"
# By status: the name of the component, and when.
_FAILURES: dict[str, tuple[str, str]] = {
    "400": ("BadRequest", "There is no body, or it is malformed or incomplete."),
    "401": ("Unauthorized", "A key is needed."),
    "403": ("Forbidden", "The key is not one for this, or there is none that is."),
    "404": ("NotFound", "There is no such model, version or layer; the nearest are told."),
    "406": ("NotAcceptable", "The answer is not to be had in a form that `Accept` takes."),
    "408": ("RequestTimeout", "The body took too long to come."),
    "409": ("Conflict", "A version cannot be loaded."),
    "413": ("TooLarge", "Over a limit on bytes, pixels, seconds or files."),
    "415": ("UnsupportedMedia", "The bytes are in no format that is read here."),
    "422": ("Unprocessable", "A broken file, a parameter out of range, or another task."),
    "503": ("Unavailable", "Not now: a full queue, a model that is not ready, a server that ends."),
    "504": ("TooLate", "The answer would come later than is allowed."),
    "4XX": ("RequestError", "Another error in the request, such as 405 or 431."),
}
_OF_BODIES = ("400", "408", "413", "422")
# Of bodies that are files: the default model may be missing, and the answer late.
_OF_FILES = ("404", "415", "504")
_PROTOCOL_ERROR = {
    "type": "object",
    "title": "ProtocolError",
    "description": "What went wrong, in the shape that clients of other protocols read.",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "A sentence."}},
}


def schemas() -> dict[str, Any]:
    """Return the schemas of error bodies, by name."""
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**problem.pop("$defs"), "Problem": problem, "ProtocolError": _PROTOCOL_ERROR}


def components(problems: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return all error responses by name. problems: examples, by status and title."""
    found = {}
    for status, (name, when) in _FAILURES.items():
        examples = problems.get(status, {})
        found[name] = response(status, when, examples)
        told = {title: {"error": problem["detail"]} for title, problem in examples.items()}
        found[f"Protocol{name}"] = _response(status, when, told, JSON, "ProtocolError")
    return found


def response(status: str, when: str, examples: dict[str, Any]) -> dict[str, Any]:
    """Return the response that is a problem. examples: by title."""
    return _response(status, when, examples, MEDIA_TYPE, "Problem")


def references(
    path: str, operation: dict[str, Any], *, admin: bool, open_to_all: bool
) -> dict[str, Any]:
    """Return the responses to errors of the operation, by status.

    open_to_all: it needs no key even where there are keys.
    """
    foreign = FOREIGN.match(path)
    statuses = {"4XX", "503", *_of_what_it_takes(operation)}
    if foreign is None and len(operation["responses"]["200"].get("content", {})) > 1:
        statuses.add("406")  # the protocols of others choose the form without `Accept`
    if not open_to_all:
        statuses.add("401")
    if admin:
        statuses |= {"403", "409"}
    prefix = "Protocol" if foreign else ""
    return {
        status: {"$ref": f"#/components/responses/{prefix}{_FAILURES[status][0]}"}
        for status in sorted(statuses)
    }


def _of_what_it_takes(operation: dict[str, Any]) -> set[str]:
    taken = operation.get("requestBody", {}).get("content", {})
    statuses = set(_OF_BODIES) if taken else set()
    if taken.keys() - {JSON}:
        statuses |= set(_OF_FILES)
    places = {parameter["in"] for parameter in operation.get("parameters", ())}
    if "path" in places:
        statuses.add("404")
    if "query" in places:
        statuses.add("422")
    if "header" in places:  # x-request-timeout-ms
        statuses |= {"422", "504"}
    return statuses


def _response(
    status: str, when: str, examples: dict[str, Any], media_type: str, schema: str
) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    if examples:
        content["examples"] = {title: {"value": value} for title, value in examples.items()}
    described: dict[str, Any] = {"description": when, "content": {media_type: content}}
    if status == "503":
        described["headers"] = {"retry-after": RETRY_AFTER}
    return described
