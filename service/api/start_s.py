"""Where in a sound the window begins that a request is about."""

from typing import Annotated

from pydantic import Field

_LONGEST_S = 86_400
StartS = Annotated[
    float | None,
    Field(
        ge=0,
        le=_LONGEST_S,
        description="For sounds: where the window begins, in seconds; unset, at the beginning.",
    ),
]
