"""The OpenAPI 3.1 document: what FastAPI reads off the routes, completed.

Names of operations, errors, keys, headers and examples follow from the routes themselves, so that
a route has to say nothing about them.
"""

import re
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from service.api.description import examples, failures, texts
from service.api.keys import OPEN, require_admin
from service.api.problems import FOREIGN

# FastAPI's shape of a 422, which nothing here answers with.
_FASTAPIS_OWN = "HTTPValidationError"
_SENTENCE_END = re.compile(r"[.;](\s|$)")


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the document of the application."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=texts.SUMMARY,
        description=texts.DESCRIPTION,
        routes=app.routes,
        servers=texts.SERVERS,
        license_info=texts.LICENSE,
        contact=texts.CONTACT,
    )
    for route, operation in _operations(app, document):
        _complete(route, operation)
    components = document["components"]
    components["schemas"] |= failures.schemas()
    for name in (_FASTAPIS_OWN, "ValidationError"):
        components["schemas"].pop(name, None)
    components["responses"] = _used(document)
    components["securitySchemes"] = texts.SECURITY
    locked = app.state.keys.locks
    document["tags"] = _used_tags(document)
    document["security"] = texts.KEYS if locked else [*texts.NO_KEY, *texts.KEYS]
    return document


def _used(document: dict[str, Any]) -> dict[str, Any]:
    """Return the error responses that some operation refers to."""
    known = failures.components(examples.read(examples.PROBLEMS))
    referred = {
        response["$ref"].rpartition("/")[2]
        for methods in document["paths"].values()
        for operation in methods.values()
        for response in operation["responses"].values()
        if "$ref" in response
    }
    return {name: response for name, response in known.items() if name in referred}


def _used_tags(document: dict[str, Any]) -> list[dict[str, str]]:
    used = {
        tag
        for methods in document["paths"].values()
        for operation in methods.values()
        for tag in operation["tags"]
    }
    return [tag for tag in texts.TAGS if tag["name"] in used]


def _operations(
    app: FastAPI, document: dict[str, Any]
) -> Iterator[tuple[APIRoute, dict[str, Any]]]:
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                yield route, document["paths"][route.path_format][method.lower()]


def _complete(route: APIRoute, operation: dict[str, Any]) -> None:
    path = route.path_format
    operation["operationId"] = operation_id(route)
    operation["summary"] = route.summary or _first_sentence(route.description)
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _as_sent(parameter["schema"])
        if parameter["in"] == "path" and parameter["name"] in texts.PARAMETERS:
            parameter.setdefault("description", texts.PARAMETERS[parameter["name"]])
    if "requestBody" in operation and not FOREIGN.match(path):
        operation["requestBody"].setdefault("description", texts.BODY)
    admin = any(each.call is require_admin for each in route.dependant.dependencies)
    open_to_all = path in OPEN
    declared = _declared(operation["responses"])
    _complete_answer(declared["200"])
    said = failures.references(path, operation, admin=admin, open_to_all=open_to_all)
    operation["responses"] = {**said, **_own(operation["operationId"]), **declared}
    if admin or open_to_all:
        operation["security"] = texts.ADMIN_KEYS if admin else []
    examples.put(operation)


def _as_sent(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter without null, which nobody can send: it is left out."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return {**kinds[0], **{key: each for key, each in schema.items() if key != "anyOf"}}


def _complete_answer(answer: dict[str, Any]) -> None:
    if answer["description"] == "Successful Response":
        answer["description"] = "The answer."
    for media_type, content in answer.get("content", {}).items():
        if media_type in texts.BINARY:
            content["schema"] = texts.BINARY[media_type]


def _declared(responses: dict[str, Any]) -> dict[str, Any]:
    """Return what the route says itself, without what stands for any error."""
    return {
        status: response
        for status, response in responses.items()
        if status != "4XX" and _FASTAPIS_OWN not in str(response)
    }


def _own(name: str) -> dict[str, Any]:
    """Return the errors of which the operation has examples of its own."""
    return {
        status: failures.response(status, each["when"], each["examples"])
        for status, each in examples.read(name).get("problems", {}).items()
    }


def operation_id(route: APIRoute) -> str:
    """Return the operation's name: the function's, below the paths of other protocols with theirs.

    Clients are generated from these names, so a function of a route is not renamed lightly.
    """
    if route.operation_id:
        return route.operation_id
    protocol = FOREIGN.match(route.path)
    name = f"{protocol[1]}_{route.name}" if protocol else route.name
    of_version = "/versions/" in route.path and "version" not in name
    return f"{name}_of_version" if of_version else name


def _first_sentence(description: str) -> str:
    return _SENTENCE_END.split(" ".join(description.split()))[0].replace("`", "")
