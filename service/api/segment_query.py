"""What a client may ask of a segmenter, of pictures or of sounds."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.contract.errors import InvalidParameter
from service.tasks.mask_answer import Format
from service.tasks.segment import LARGEST_TILE_PX, SMALLEST_TILE_PX, Resolution

Render = Literal["mask", "overlay", "probability"]
_TileSide = Annotated[int, Field(ge=SMALLEST_TILE_PX, le=LARGEST_TILE_PX)]


# Parameters that say nothing of the other kind of input.
_OF_PICTURES = ("format", "tolerance", "min_area", "tile", "resolution", "render")
_OF_SOUNDS = ("min_seconds",)


class SegmentQuery(BaseModel):
    """The query of `segment`; `render` and `class_index` are for pictures and arrays.

    `min_seconds` is for sounds, and all but that and `version` for pictures.
    """

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
    tile: Literal["auto", "off"] | _TileSide = Field(
        "auto",
        description="'auto' runs a large input in overlapping tiles, 'off' never, "
        "a number in tiles of that side.",
    )
    resolution: Resolution = Field(
        "model",
        description="'model' resizes as the model was trained, 'original' takes every pixel.",
    )
    render: Render = Field("mask", description="What a PNG or an array shows.")
    class_index: int | None = Field(None, ge=0, description="The class of `probability`.")
    min_seconds: float = Field(
        0.0,
        ge=0,
        le=86_400,
        description="Of a sound: shorter spans are given to those beside them.",
    )

    def check_kind(self, sounds: bool) -> None:
        """Raise InvalidParameter if something is asked that only the other kind of input has."""
        names, kind = (_OF_PICTURES, "pictures") if sounds else (_OF_SOUNDS, "sounds")
        for name in names:
            if getattr(self, name) != SegmentQuery.model_fields[name].default:
                raise InvalidParameter(f"{name} is for {kind}, which this model does not take.")

    @property
    def tile_px(self) -> int | None:
        """The side of a tile: 0 for none, None to leave that to the input's size."""
        if self.tile == "auto":
            return None
        return 0 if self.tile == "off" else self.tile

    def wanted_class(self, classes: int) -> int | None:
        """Return the class whose probability is shown, or None if none is.

        Raises: InvalidParameter if there is no such class.
        """
        if self.render != "probability":
            return None
        if self.class_index is None or self.class_index >= classes:
            raise InvalidParameter(f"render=probability needs a class_index below {classes}.")
        return self.class_index
