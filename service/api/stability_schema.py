"""The shape of what POST stability answers."""

from typing import Literal

from pydantic import BaseModel, Field

from service.api.schemas import ModelRef
from service.tasks.stability.moves import Transform

Asked = Literal["shift", "rotate", "scale", "deform", "gain", "speed", "all"]


class StabilityPointOut(BaseModel):
    """The answer to an input that was moved by so much; the one at rest is among them.

    probability: of the class that is followed. Of a mask, its mean over the pixels that were of
        that class at rest; null where none of them is left, or if there are no probabilities.
    class_index, label: the likeliest class; of a mask, the one of most pixels or frames.
    agrees: whether that is the same as at rest; of a mask, the share of its pixels or frames that
        keep their class, moved along, in 0..1.
    """

    amount: float
    probability: float | None
    class_index: int
    label: str
    agrees: bool | float


class StabilityCurveOut(BaseModel):
    """One way to move an input, ever further.

    variant: tells curves of one transform apart, such as the direction of a shift.
    consistency: share of the moved inputs that are answered as the one at rest; of masks, the
        mean of what agrees. In 0..1.
    """

    transform: Transform
    variant: str | None
    unit: str = Field(description="Of the amounts: px and degrees of the input, factor, ms or dB.")
    consistency: float
    points: list[StabilityPointOut]


class StabilityTimingOut(BaseModel):
    """Milliseconds: decoding and resizing, all runs with the moving, all of it."""

    decode_ms: float
    compute_ms: float
    total_ms: float


class StabilityOut(BaseModel):
    """How the answer changes as the input is moved.

    class_index, label: the class that is followed. probability: of it at rest; null if the model
    gives none. runs: how many inputs were run.
    """

    model: ModelRef
    class_index: int
    label: str
    probability: float | None
    curves: list[StabilityCurveOut]
    runs: int
    timing: StabilityTimingOut
