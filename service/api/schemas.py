"""The shapes of JSON answers."""

from typing import Literal

from pydantic import BaseModel, Field

from service.contract.manifest import Color, Metric, Task
from service.contract.specs import AudioPreprocessing, ImagePreprocessing, Shape


class ParameterError(BaseModel):
    """One query parameter that is not as it should be."""

    parameter: str
    detail: str


class Problem(BaseModel):
    """What went wrong, for every error there is (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    nearest: list[str] | None = Field(None, description="Names that exist, nearest first.")
    errors: list[ParameterError] | None = None
    models: list["ModelState"] | None = Field(None, description="What is ready and what is not.")


class ModelState(BaseModel):
    """Whether a version may answer; version is null where a folder's name is none."""

    name: str
    version: int | None
    state: Literal["ready", "refused", "unloaded"]
    execution_provider: str | None = None
    reason: str | None = None


class ModelRef(BaseModel):
    """Which model answered."""

    name: str
    version: int


class InputInfo(BaseModel):
    """The model's own input; clients send pictures or sounds instead."""

    name: str
    dtype: str
    shape: Shape


class ReadyVersion(BaseModel):
    """A version that answers.

    golden_difference: largest absolute difference from PyTorch's golden outputs when it was
        loaded.
    memory_bytes: of the weights, in every session that answers requests; what the runtime
        needs to work and the sub-models for feature maps come on top.
    taps: how many layers can be looked at.
    """

    version: int
    state: Literal["ready"] = "ready"
    task: Task
    description: str
    execution_provider: str
    golden_difference: float
    memory_bytes: int
    labels: tuple[str, ...]
    colors: tuple[Color, ...] = Field(description="Of a segmenter's classes; none for others.")
    units: tuple[str, ...] = Field(description="Of what is measured; none for models with classes.")
    input: InputInfo
    preprocessing: ImagePreprocessing | AudioPreprocessing
    metrics: tuple[Metric, ...]
    taps: int
    license: str


class RefusedVersion(BaseModel):
    """A version's content that must not answer, and why; an earlier one may still be ready."""

    version: int | None
    state: Literal["refused"] = "refused"
    file: str
    reason: str


class UnloadedVersion(BaseModel):
    """A version that could be loaded, and why it is not."""

    version: int
    state: Literal["unloaded"] = "unloaded"
    reason: str


class ModelInfo(BaseModel):
    """A model; served_version answers when none is asked for, null if none is ready."""

    name: str
    served_version: int | None
    versions: list[ReadyVersion | RefusedVersion | UnloadedVersion]


class ModelList(BaseModel):
    """All models, by name."""

    models: list[ModelInfo]


class ChangesOut(BaseModel):
    """What came and went, as name/version, and how the models that were asked for are now.

    refused: why is told among the versions; where an earlier content was served, it still is.
    """

    loaded: tuple[str, ...]
    unloaded: tuple[str, ...]
    refused: tuple[str, ...]
    models: list[ModelInfo]


class PredictionOut(BaseModel):
    """A class and its probability in 0..1."""

    label: str
    class_index: int
    probability: float


class TimingOut(BaseModel):
    """Milliseconds: decoding and resizing, waiting for a worker, the graph, all of it."""

    decode_ms: float
    queue_ms: float
    compute_ms: float
    total_ms: float
    batch_size: int


class ClassificationOut(BaseModel):
    """The likeliest classes of one picture, likeliest first."""

    model: ModelRef
    predictions: list[PredictionOut]
    timing: TimingOut


class WindowOut(BaseModel):
    """What the model says of a part of a sound, likeliest first; of a silent one, nothing."""

    start_s: float
    end_s: float
    predictions: list[PredictionOut]
    silent: bool | None = Field(None, description="True where it is; otherwise left out.")


class SoundClassificationOut(BaseModel):
    """The likeliest classes of a sound, likeliest first, and of each of its windows.

    predictions: the softmax of the mean of the windows' logits, those of silent ones left out.
    segments: windows of the model's length, which may overlap.
    """

    model: ModelRef
    predictions: list[PredictionOut]
    segments: list[WindowOut]
    duration_s: float
    timing: TimingOut


class ClassificationResults(BaseModel):
    """One entry a file, in the order in which they were sent."""

    results: list[SoundClassificationOut | ClassificationOut | Problem]


class RleOut(BaseModel):
    """COCO's compressed run lengths, column by column; size is (height, width)."""

    size: tuple[int, int]
    counts: str


class MultiPolygonOut(BaseModel):
    """GeoJSON (RFC 7946, 3.1.7) in pixels: the pixel in row r and column c covers x from c to
    c + 1 and y from r to r + 1. Polygons of rings of [x, y]: the outline, then its holes.
    """

    type: Literal["MultiPolygon"]
    coordinates: list[list[list[tuple[float, float]]]]


class SegmentOut(BaseModel):
    """A class that is in the picture, with its pixels and their share in 0..1.

    rle, polygons: where, in the format that was asked for.
    """

    class_index: int
    label: str
    color: Color
    pixels: int
    share: float
    rle: RleOut | None = None
    polygons: MultiPolygonOut | None = None


class SegmentTimingOut(TimingOut):
    """encode_ms: from the model's answer to the mask at the picture's size, written out."""

    encode_ms: float


class SegmentationOut(BaseModel):
    """The class of every pixel, at the picture's own size; the largest class comes first.

    png: in that format, a palette PNG in base64 whose pixels are class indices.
    """

    model: ModelRef
    height: int
    width: int
    classes: list[SegmentOut]
    png: str | None = None
    timing: SegmentTimingOut


class SoundClassOut(BaseModel):
    """A class that is in a sound, with its seconds and their share in 0..1."""

    class_index: int
    label: str
    seconds: float
    share: float


class SpanOut(BaseModel):
    """A time of one class."""

    start_s: float
    end_s: float
    class_index: int
    label: str


class SoundSegmentationOut(BaseModel):
    """The class at every moment of a sound; the class that lasts longest comes first.

    frame_s: from one decision of the model to the next.
    segments: follow each other without a gap, from 0 to duration_s.
    """

    model: ModelRef
    duration_s: float
    frame_s: float
    classes: list[SoundClassOut]
    segments: list[SpanOut]
    timing: TimingOut


class SegmentationResults(BaseModel):
    """One entry a file, in the order in which they were sent."""

    results: list[SegmentationOut | SoundSegmentationOut | Problem]


class LayerOut(BaseModel):
    """A layer that can be looked at; pairs are (vertical, horizontal), sizes in cells.

    shape: without the batch. receptive_field, jump, start: in input pixels; for sounds, samples
    along the time and rows of the spectrogram up and down, 1 where there is none.
    local_receptive_field: without what all cells see alike, such as a normalisation's mean.
    macs_share, parameters_share: of the totals, in 0..1; parameters that several layers share
    count for each. sees: the share of the model's input that one cell can see, in 0..1; of a
    sound, of its spectrogram once there is one. null where it cannot be told.
    """

    name: str
    module: str
    op: str
    shape: Shape
    kernel: tuple[int, ...] | None
    stride: tuple[int, ...] | None
    padding: tuple[int, ...] | None
    dilation: tuple[int, ...] | None
    groups: int | None
    parameters: int
    macs: int | None
    receptive_field: tuple[int, int] | None
    local_receptive_field: tuple[int, int] | None
    jump: tuple[int, int] | None
    start: tuple[float, float] | None
    macs_share: float | None
    parameters_share: float | None
    sees: float | None


class TotalsOut(BaseModel):
    """Sums over the whole graph."""

    parameters: int
    macs: int | None


class LayersOut(BaseModel):
    """The layer table, in the order in which the layers are computed.

    sample_rate_hz: of the sounds that the model takes; null for pictures.
    """

    model: ModelRef
    sample_rate_hz: int | None
    layers: list[LayerOut]
    totals: TotalsOut


class Live(BaseModel):
    """The process answers."""

    live: Literal[True] = True


class Ready(BaseModel):
    """Nothing stands between this server and requests; what is not ready came later."""

    ready: Literal[True] = True
    models: list[ModelState]


class Index(BaseModel):
    """Where to go from here."""

    name: str
    version: str
    links: dict[str, str]
