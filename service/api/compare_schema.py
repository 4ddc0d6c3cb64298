"""The shape of what POST compare answers."""

from pydantic import BaseModel

from service.api.schemas import PredictionOut


class ComparedModelOut(BaseModel):
    """One of the two models, and what it runs on."""

    name: str
    version: int
    execution_provider: str


class ClassShareOut(BaseModel):
    """A class of a mask and its share of the pixels or of the time, in 0..1."""

    label: str
    class_index: int
    share: float


class AnswerOut(BaseModel):
    """What one model said: the likeliest classes, or the classes of a mask, largest first."""

    predictions: list[PredictionOut]
    classes: list[ClassShareOut]


class ComparedLayerOut(BaseModel):
    """How far two layers of one shape are from each other.

    relative_difference: |first - second| / |first|, of vectors; null if only the first is zero.
    cosine: of the angle between them; null if one is zero. All are null where there are NaN or
    infinities.
    """

    layer: str
    other_layer: str
    shape: tuple[int, ...]
    max_absolute_difference: float | None
    mean_absolute_difference: float | None
    relative_difference: float | None
    cosine: float | None


class UnmatchedLayerOut(BaseModel):
    """A layer of the first (layer) or the second model (other_layer) that was not compared."""

    layer: str | None
    other_layer: str | None
    reason: str


class ComparisonOut(BaseModel):
    """Two models on one picture or sound.

    agree: the likeliest class has the same label; masks are the same everywhere.
    agreement: of masks, the share of pixels or of time that has one label in both; else null.
    max_probability_difference: over the labels that both have, and over the pixels of masks; null
        if there are none, or if the two do not work on the same pixels.
    layers: in the order of the first model.
    """

    models: tuple[ComparedModelOut, ComparedModelOut]
    answers: tuple[AnswerOut, AnswerOut]
    agree: bool
    agreement: float | None
    max_probability_difference: float | None
    layers: list[ComparedLayerOut]
    unmatched: list[UnmatchedLayerOut]
