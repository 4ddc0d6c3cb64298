"""What a request of the Open Inference Protocol asks for."""

import re
from typing import Annotated, Any

import orjson
from fastapi import Path, Request

from service.api.body import BodyLimits, read_raw
from service.contract.errors import InputError, TooLarge, UnknownVersion
from service.tasks.catalog import Catalog, ServedModel

# Of bodies that hold a question, not data.
_MOST_BYTES = 2**20
_VERSION = re.compile(r"[1-9][0-9]{0,8}")

Version = Annotated[str, Path(description="A version's number.", examples=["1"])]


def find(catalog: Catalog, name: str, version: str | None = None) -> ServedModel:
    """Return that version of the model, or the highest one that is ready if none is asked for.

    Raises: UnknownModel; UnknownVersion; ModelNotReady.
    """
    if version is None:
        return catalog.get(name)
    if not _VERSION.fullmatch(version):
        ready = catalog.versions(name)
        raise UnknownVersion(version, [str(model.manifest.version) for model in ready])
    return catalog.get(name, int(version))


async def read_object(request: Request, limits: BodyLimits) -> dict[str, Any]:
    """Return the JSON object that is the body; of no body an empty one.

    Raises: InputError if it is no JSON object; TooLarge; as `read_raw`.
    """
    body, _ = await read_raw(request, limits)
    if len(body) > _MOST_BYTES:
        raise TooLarge(f"The body has {len(body):,} bytes; at most {_MOST_BYTES:,} are read here.")
    try:
        found = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise InputError(f"The body is not JSON: {error}.") from None
    if not isinstance(found, dict):
        raise InputError("The body must be a JSON object.")
    return found


def parameters_in(body: dict[str, Any]) -> dict[str, Any]:
    """Return the `parameters` of a request's body; raises InputError if they are no object."""
    parameters = body.get("parameters", {})
    if not isinstance(parameters, dict):
        raise InputError("'parameters' must be a JSON object.")
    return parameters
