"""What a client may ask of a segmenter."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from service.contract.errors import InvalidParameter
from service.tasks.mask_answer import Format
from service.tasks.segment import LARGEST_TILE_PX, SMALLEST_TILE_PX, Resolution

Render = Literal["mask", "overlay", "probability"]


class SegmentQuery(BaseModel):
    """The query of `segment`; `render` and `class_index` are for pictures and arrays."""

    model_config = ConfigDict(frozen=True)

    version: int | None = Field(None, ge=1, description="Pin a version; the highest by default.")
    format: Format = Field(
        "rle",
        description="In JSON: COCO's compressed run lengths, a palette PNG in base64, or outlines.",
    )
    tolerance: float = Field(
        1.0, ge=0, le=1000, description="How far outlines may be off, in pixels; 0 is exact."
    )
    min_area: int = Field(
        0, ge=0, description="Regions of fewer pixels are given to the class next to them."
    )
    tile: str = Field(
        "auto",
        description="'auto' runs a large input in overlapping tiles, 'off' never, "
        f"a number in tiles of that side, {SMALLEST_TILE_PX} to {LARGEST_TILE_PX}.",
        pattern=r"^(auto|off|[0-9]{1,5})$",
    )
    resolution: Resolution = Field(
        "model",
        description="'model' resizes as the model was trained, 'original' takes every pixel.",
    )
    render: Render = Field("mask", description="What a PNG or an array shows.")
    class_index: int | None = Field(None, ge=0, description="The class of `probability`.")

    @field_validator("tile")
    @classmethod
    def _fits(cls, tile: str) -> str:
        if re.fullmatch("[0-9]+", tile) and not SMALLEST_TILE_PX <= int(tile) <= LARGEST_TILE_PX:
            raise ValueError(f"must be from {SMALLEST_TILE_PX} to {LARGEST_TILE_PX}")
        return tile

    @property
    def tile_px(self) -> int | None:
        """The side of a tile: 0 for none, None to leave that to the input's size."""
        return {"auto": None, "off": 0}[self.tile] if self.tile.isalpha() else int(self.tile)

    def wanted_class(self, classes: int) -> int | None:
        """Return the class whose probability is shown, or None if none is.

        Raises: InvalidParameter if there is no such class.
        """
        if self.render != "probability":
            return None
        if self.class_index is None or self.class_index >= classes:
            raise InvalidParameter(f"render=probability needs a class_index below {classes}.")
        return self.class_index
