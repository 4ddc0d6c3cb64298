"""How errors of the Open Inference Protocol are described."""

from typing import Any

from pydantic import BaseModel


class OipError(BaseModel):
    """What went wrong, as a sentence."""

    error: str


def _described(what: str, sentence: str) -> dict[str, Any]:
    content = {"application/json": {"example": {"error": sentence}}}
    return {"description": what, "model": OipError, "content": content}


ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": _described("The request cannot be answered.", "There is no model 'cifar'."),
    "503": _described("Not now.", "Version 2 of 'cifar10' was unloaded by hand."),
}
