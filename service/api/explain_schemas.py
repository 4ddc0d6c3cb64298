"""The query and the JSON answers of `explain`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.api.schemas import ModelRef
from service.contract.errors import InvalidParameter
from service.tasks.reasons.plan import Method
from service.tasks.reasons.question import Asked, Question

_LONGEST_S = 86_400
_FURTHEST_PX = 2**31 - 1


class ExplainQuery(BaseModel):
    """What is to be explained, and how it is shown."""

    model_config = ConfigDict(frozen=True)

    version: int | None = Field(
        None, ge=1, le=10**9, description="Pins a version; unset, the highest that is ready."
    )
    method: Asked = Field(
        "auto", description="'auto' takes cam where the head allows it, else ablation-cam."
    )
    class_index: int | None = Field(
        None, ge=0, description="The class to explain; unset, the likeliest."
    )
    layer: str | None = Field(
        None, description="A layer's name, or the path of a module; unset, one that suits."
    )
    x: int | None = Field(
        None, ge=0, le=_FURTHEST_PX, description="With y, for segmenters: the pixel to explain."
    )
    y: int | None = Field(None, ge=0, le=_FURTHEST_PX, description="See x; 0 is the top row.")
    start_s: float | None = Field(
        None,
        ge=0,
        le=_LONGEST_S,
        description="For sounds: where the window begins, in seconds; unset, at the beginning.",
    )
    render: Literal["overlay", "map"] = Field(
        "overlay", description="As a PNG: over the picture or spectrogram, or the map alone."
    )

    @property
    def question(self) -> Question:
        """What the model is asked."""
        return Question(self.method, self.layer, self.class_index)

    def check(self, name: str, task: str, classes: int) -> None:
        """Raise InvalidParameter if something is asked that a model of that task cannot tell."""
        if self.class_index is not None and self.class_index >= classes:
            raise InvalidParameter(
                f"class_index={self.class_index}: {name!r} knows the classes 0 to {classes - 1}."
            )
        if self.start_s is not None and not task.startswith("audio"):
            raise InvalidParameter(f"start_s is for sounds: the model {name!r} takes pictures.")
        if (self.x is None) != (self.y is None):
            raise InvalidParameter("x and y name a pixel together: one of them is missing.")
        if self.x is not None and task != "image-segmentation":
            raise InvalidParameter(f"x and y are for segmenters of pictures; {name!r} does {task}.")


class PeakOut(BaseModel):
    """The middle of the strongest cell, in pixels of the picture."""

    x: float
    y: float


class SoundPeakOut(BaseModel):
    """The middle of the strongest cell; band is null where the map knows times only."""

    time_s: float
    band: float | None


class ExplainTimingOut(BaseModel):
    """Milliseconds: decoding and resizing, all else that was computed, and all of it."""

    decode_ms: float
    compute_ms: float
    total_ms: float


class ExplanationOut(BaseModel):
    """Where the model looks for a class; above zero speaks for it.

    layer: whose cells the map has; null for occlusion.
    probability: of the class; for a segmenter the mean where it is found.
    minimum, maximum: of the finite values, as they are; null if there are none.
    degenerate: the map says nothing, for that reason.
    peak: null where the map says nothing.
    channels, channels_used: of the layer, and of how many of them a weight was found out.
    runs: items that went through the graph or a part of it.
    """

    model: ModelRef
    method: Method
    layer: str | None
    class_index: int
    label: str
    probability: float
    shape: tuple[int, int]
    minimum: float | None
    maximum: float | None
    degenerate: bool
    reason: str | None
    peak: PeakOut | SoundPeakOut | None
    channels: int | None
    channels_used: int | None
    runs: int
    timing: ExplainTimingOut


class MethodOut(BaseModel):
    """A method, and the layers that it can take; occlusion takes none."""

    method: Method
    default: bool
    layers: list[str]
    default_layer: str | None


class ExplainableOut(BaseModel):
    """What can be asked of a model; the default method comes first."""

    model: ModelRef
    methods: list[MethodOut]
    classes: tuple[str, ...]
