"""What a client may ask of feature maps."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.api.start_s import StartS
from service.contract.errors import InvalidParameter
from service.tasks.catalog import ServedModel
from service.tasks.colors import Colormap
from service.tasks.look import Look, Shared

EVERY_LAYER = "*"
# Parameters that say something of one layer only.
_OF_ONE = ("channels", "top_k", "zoom", "cell", "scale")


class MapQuery(BaseModel):
    """The query of `feature-maps`."""

    model_config = ConfigDict(frozen=True)

    layer: str = Field(description="A layer's name, or the path of a module; '*' for all layers.")
    channels: str = Field("all", description="Such as '0-15,20', or 'all'.")
    top_k: int | None = Field(
        None,
        ge=1,
        le=2**20,
        description="Of these channels only the strongest, by mean absolute value, in that order.",
    )
    cell: str | None = Field(
        None,
        description="'row,column' of a cell, or its index in a sequence: its values, and what of "
        "the picture or the sound it sees.",
    )
    render: Literal["mosaic", "strip"] = Field(
        "mosaic",
        description="A PNG with captions, or bare tiles of 64 x 64 pixels below each other.",
    )
    scale: Shared = Field(
        "shared", description="Whether the channels of a PNG have one scale of colours, or each."
    )
    colormap: Colormap = Field(
        "auto", description="'auto' is viridis, or blue-red where some values are negative."
    )
    zoom: int | None = Field(
        None, ge=1, le=256, description="Pixels a cell in a mosaic; unset, what is comfortable."
    )
    start_s: StartS = None
    version: int | None = Field(
        None, ge=1, le=10**9, description="Pins a version; unset, the highest that is ready."
    )

    @property
    def all_layers(self) -> bool:
        """Whether every layer is asked for."""
        return self.layer == EVERY_LAYER

    @property
    def look(self) -> Look:
        """How channels are to be drawn."""
        return Look(self.scale, self.colormap, self.zoom)

    def check(self, model: ServedModel) -> None:
        """Raise UnknownLayer or InvalidParameter if that cannot be asked of the model."""
        if self.start_s is not None and not model.listens:
            raise InvalidParameter(
                f"start_s is for sounds: the model {model.manifest.name!r} takes pictures."
            )
        if not self.all_layers:
            model.features.tap(self.layer)
            return
        for name in _OF_ONE:
            if getattr(self, name) != MapQuery.model_fields[name].default:
                raise InvalidParameter(f"{name} is for one layer, not for all of them.")
