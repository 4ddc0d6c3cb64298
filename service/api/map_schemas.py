"""The shapes of JSON answers about what is inside of a model."""

from pydantic import BaseModel, Field

from service.api.schemas import ModelRef
from service.contract.specs import Shape


# Bases stand in such an order that names come before figures in the JSON.
class _OfModel(BaseModel):
    model: ModelRef


class _OfChannel(BaseModel):
    channel: int


class _OfLayer(BaseModel):
    layer: str
    op: str
    shape: Shape
    stride: tuple[int, int] | None
    receptive_field: tuple[int, int] | None
    dead_channel_share: float


class FiguresOut(BaseModel):
    """Figures over finite values; zero_share in 0..1, non_finite counts NaN and infinities."""

    minimum: float | None
    maximum: float | None
    mean: float | None
    zero_share: float
    non_finite: int


class ChannelOut(FiguresOut, _OfChannel):
    """Figures of one channel."""


class LayerMapOut(FiguresOut, _OfLayer):
    """What a layer made of the input; dead_channel_share counts all channels, in 0..1."""


class BoxOut(BaseModel):
    """A part of the picture in pixels: x to the right, y down, the edge of the first pixel at 0."""

    left: float
    top: float
    right: float
    bottom: float


class HeardOut(BaseModel):
    """A part of the sound in seconds."""

    start_s: float
    end_s: float


class CellOut(BaseModel):
    """One cell: a value a channel that is listed, and what of the picture or the sound it sees.

    box: null if the cell has no place, or sees nothing but padding.
    clipped: it would see more than there is.
    """

    index: list[int]
    values: list[float | None] = Field(description="null where it is no finite number.")
    box: BoxOut | HeardOut | None
    clipped: bool


class FeatureMapOut(LayerMapOut, _OfModel):
    """What a layer made of the input, with figures of the channels that were asked for."""

    channels: list[ChannelOut]
    cell: CellOut | None = None


class SoundFeatureMapOut(FeatureMapOut):
    """What a layer made of a window of a sound; stride and receptive_field are in samples.

    start_s, duration_s: of the window. The middle of cell i is at first_cell_s + i *
    seconds_per_cell in the sound; both are null where cells have no place in time.
    """

    start_s: float
    duration_s: float
    first_cell_s: float | None
    seconds_per_cell: float | None


class AllMapsOut(BaseModel):
    """What every layer made of the input, in the order in which they are computed."""

    model: ModelRef
    layers: list[LayerMapOut]
