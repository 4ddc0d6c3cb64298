"""POST v2/repository: which versions there are, and the loading and unloading of models."""

from collections.abc import Iterator
from typing import Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from service.api.admin import in_step
from service.api.keys import require_admin
from service.api.oip.asked import parameters_in, read_object
from service.api.state import PROBLEMS, CurrentState
from service.contract.errors import InputError, InvalidParameter
from service.tasks.catalog import Catalog

router = APIRouter(responses=PROBLEMS, tags=["Open Inference Protocol"])


class IndexEntry(BaseModel):
    """A version; one that is ready has a reason only where newer content of it was refused.

    version: left out where a folder's name is none.
    """

    name: str
    version: str | None = None
    state: Literal["READY", "UNAVAILABLE"]
    reason: str | None = None


class Loaded(BaseModel):
    """The model is served as it lies in the repository."""

    name: str
    load: Literal[True] = True


class Unloaded(BaseModel):
    """The model is not served any more, and all that it had accepted is answered."""

    name: str
    unload: Literal[True] = True


def _takes(what: str, properties: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties}
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"description": what, "required": False, "content": content}}


def _parameters(properties: dict[str, Any]) -> dict[str, Any]:
    only = {"type": "object", "properties": properties, "additionalProperties": False}
    return {"parameters": only}


@router.post(
    "/v2/repository/index",
    openapi_extra=_takes(
        "Which versions to list; unset, all.", {"ready": {"type": "boolean"}}, {"ready": True}
    ),
    response_model=list[IndexEntry],
    response_model_exclude_none=True,
)
async def repository_index(request: Request, state: CurrentState) -> list[IndexEntry]:
    """List every version of every model; with `ready` true, only those that may be asked."""
    only_ready = (await read_object(request, state.body_limits)).get("ready", False)
    if not isinstance(only_ready, bool):
        raise InputError("'ready' must be true or false.")
    entries = _entries(state.catalog)
    return [entry for entry in entries if entry.state == "READY" or not only_ready]


@router.post(
    "/v2/repository/models/{name}/load",
    dependencies=[Depends(require_admin)],
    openapi_extra=_takes("Nothing is needed.", _parameters({}), {}),
)
async def load_model(request: Request, name: str, state: CurrentState) -> Loaded:
    """Load the versions of a model that the policy wants, as they lie in the repository."""
    parameters = parameters_in(await read_object(request, state.body_limits))
    if parameters:
        raise InvalidParameter(
            f"Loading takes no parameters ({', '.join(sorted(parameters))[:200]}): a model is "
            "loaded as it lies in the repository, with its own manifest."
        )
    async with in_step(request):
        await state.live.load(name)
    return Loaded(name=name)


@router.post(
    "/v2/repository/models/{name}/unload",
    dependencies=[Depends(require_admin)],
    openapi_extra=_takes(
        "Nothing is needed.",
        _parameters({"unload_dependents": {"type": "boolean"}}),
        {"parameters": {"unload_dependents": False}},
    ),
)
async def unload_model(request: Request, name: str, state: CurrentState) -> Unloaded:
    """Let all versions of a model finish what they have accepted, and then go.

    No model depends on another, so `unload_dependents` changes nothing.
    """
    parameters = parameters_in(await read_object(request, state.body_limits))
    if others := sorted(parameters.keys() - {"unload_dependents"}):
        raise InvalidParameter(f"Unloading does not know {', '.join(others)[:200]}.")
    if not isinstance(parameters.get("unload_dependents", False), bool):
        raise InputError("'unload_dependents' must be true or false.")
    async with in_step(request):
        await state.live.unload(name)
    return Unloaded(name=name)


def _entries(catalog: Catalog) -> Iterator[IndexEntry]:
    for name in catalog.names:
        missing: list[tuple[int | None, str]] = [
            (refused.version, f"{refused.file}: {refused.reason}")
            for refused in catalog.refused(name)
        ]
        newer = dict(missing)
        missing += [(rest.version, rest.reason) for rest in catalog.unloaded(name)]
        ready = [model.manifest.version for model in catalog.versions(name)]
        for version in ready:
            reason = f"newer content was refused: {newer[version]}" if version in newer else None
            yield IndexEntry(name=name, version=str(version), state="READY", reason=reason)
        for number, why in missing:
            if number not in ready:
                shown = None if number is None else str(number)
                yield IndexEntry(name=name, version=shown, state="UNAVAILABLE", reason=why)
