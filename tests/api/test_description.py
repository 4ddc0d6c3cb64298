"""What /openapi.json says, held against the server and against itself."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from service.api.description import examples
from service.api.description.document import describe
from service.main import create_app
from service.settings import Settings

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

import interface  # noqa: E402
from interface_values import shape  # noqa: E402

DOCUMENT = describe(create_app(Settings()))
OPERATIONS = {
    operation["operationId"]: (path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for operation in methods.values()
}
HINT = "add a request to docs/interface_requests.py, then run `python docs/generate.py`"


def resolved(described: dict[str, Any]) -> dict[str, Any]:
    reference = described.get("$ref", "")
    found: Any = DOCUMENT if reference else described
    for key in reference.removeprefix("#/").split("/") if reference else ():
        found = found[key]
    return dict(found)


def shown(described: dict[str, Any]) -> dict[str, Any]:
    """Return the examples of a parameter or of one media type, by title."""
    if "example" in described:
        return {"example": described["example"]}
    if "examples" in described:
        return {title: each["value"] for title, each in described["examples"].items()}
    schema = resolved(described.get("schema", {}))
    return {str(place): each for place, each in enumerate(schema.get("examples", ()))}


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield every (status or "body", media type, content) that the operation describes."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield "body", media_type, content
    for status, answer in operation["responses"].items():
        for media_type, content in resolved(answer).get("content", {}).items():
            yield status, media_type, content


def in_words(media_type: str) -> bool:
    """Return whether something of the type can be shown."""
    return media_type.endswith("json") or media_type == "text/plain"


def test_document_follows_the_specification() -> None:
    """A validator of others finds OpenAPI 3.1 without a fault."""
    assert DOCUMENT["openapi"].startswith("3.1.")
    validate(DOCUMENT)


def test_names_of_operations_are_unique_and_fit_for_clients() -> None:
    """Two routes of one name need `operation_id=` on one of them."""
    count = sum(len(methods) for methods in DOCUMENT["paths"].values())
    names = [
        operation["operationId"]
        for methods in DOCUMENT["paths"].values()
        for operation in methods.values()
    ]
    assert len(set(names)) == count, sorted(name for name in names if names.count(name) > 1)
    assert all(name.isidentifier() and name == name.lower() for name in names)


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_is_described(name: str) -> None:
    """Each says what it does, in short and in full, below a tag that is described too."""
    path, operation = OPERATIONS[name]
    tags = {tag["name"] for tag in DOCUMENT["tags"] if tag["description"]}

    assert operation["summary"], path
    assert operation["description"], path
    assert operation["tags"], path
    assert set(operation["tags"]) <= tags, path
    for parameter in operation.get("parameters", ()):
        assert parameter.get("description"), f"{name}: {parameter['name']}"
    if "requestBody" in operation:
        assert operation["requestBody"]["description"], path


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_parameter_body_and_answer_has_an_example(name: str) -> None:
    """A route without one is named here."""
    _, operation = OPERATIONS[name]
    missing = [
        parameter["name"]
        for parameter in operation.get("parameters", ())
        if not shown(parameter) and not shown(parameter["schema"])
    ]
    missing += [
        f"{where} {media_type}"
        for where, media_type, content in contents(operation)
        if in_words(media_type) and not shown(content)
    ]
    assert not missing, f"{name} has no example of {missing}: {HINT}"


@pytest.mark.parametrize("name", OPERATIONS)
def test_examples_fit_their_schemas(name: str) -> None:
    """What is shown is what is described: parameters, bodies, answers and errors."""
    _, operation = OPERATIONS[name]
    described = [
        (parameter["name"], parameter, parameter["schema"])
        for parameter in operation.get("parameters", ())
    ]
    described += [
        (f"{where} {media_type}", content, content.get("schema", {}))
        for where, media_type, content in contents(operation)
    ]
    for where, holder, schema in described:
        validator = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
        for title, value in shown(holder).items():
            errors = [error.message for error in validator.iter_errors(value)]
            assert not errors, f"{name}, {where}, {title}: {errors}"


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_no_json_is_described(name: str) -> None:
    """Pictures and arrays say what they are."""
    _, operation = OPERATIONS[name]
    for where, media_type, content in contents(operation):
        if not in_words(media_type) and where != "body":
            assert content["schema"]["description"], f"{name}: {where} {media_type}"


@pytest.mark.parametrize("name", OPERATIONS)
def test_file_can_be_sent_under_a_type_that_is_one(name: str) -> None:
    """Generators of clients pass over ranges such as image/*, and over what is taken with them."""
    _, operation = OPERATIONS[name]
    taken = operation.get("requestBody", {}).get("content", {})
    assert "image/*" not in taken or "application/octet-stream" in taken


@pytest.mark.parametrize("name", OPERATIONS)
def test_errors_are_those_that_can_come(name: str) -> None:
    """406 only where `Accept` is heeded, 504 only where there is a deadline, 503 says when."""
    path, operation = OPERATIONS[name]
    answers = operation["responses"]
    asked = {parameter["name"] for parameter in operation.get("parameters", ())}
    heeded = len(answers["200"].get("content", {})) > 1 and not path.startswith(("/v2", "/hf"))
    assert ("406" in answers) == heeded
    assert ("504" in answers) == ("x-request-timeout-ms" in asked)
    assert "retry-after" in resolved(answers["503"])["headers"]


def test_server_answers_as_the_examples_say() -> None:
    """Asked again, it answers every example with the same names and types."""
    found = asyncio.run(interface.fetch_examples())

    assert {file.stem for file in examples.FOLDER.glob("*.json")} == set(found)
    for name, fresh in found.items():
        kept = json.loads((examples.FOLDER / f"{name}.json").read_bytes())
        assert shape(kept) == shape(fresh), f"{name} is out of date: python docs/generate.py"


def test_keys_are_wanted_where_the_document_says() -> None:
    """A locked server says so; admin routes want an admin key, orchestrators' questions none."""
    assert {} in DOCUMENT["security"]
    locked = describe(create_app(Settings(api_keys="a-key-for-this-test-alone")))

    assert locked["security"] == [{"bearer": []}, {"x-api-key": []}]
    assert locked["paths"]["/livez"]["get"]["security"] == []
    for name in ("load", "unload", "rescan"):
        schemes = {scheme for each in OPERATIONS[name][1]["security"] for scheme in each}
        assert schemes == {"admin-bearer", "admin-x-api-key"}


def test_serving_does_not_pay_for_the_document() -> None:
    """What describes the interface is imported when somebody asks for it."""
    program = (
        "import sys, service.main\n"
        "service.main.create_app(service.main.Settings())\n"
        "print([name for name in sys.modules if name.startswith('service.api.description')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
