"""What a server answers; names and units are those of its JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.client.rle import decode_rle

Pair = tuple[int, int]
Color = tuple[int, int, int]


@dataclass(frozen=True)
class ModelRef:
    """Which model answered."""

    name: str
    version: int


@dataclass(frozen=True)
class Timing:
    """Milliseconds: decoding, waiting for a worker, the graph, all of it; None where untold.

    encode_ms: of a segmentation, writing it out.
    """

    decode_ms: float
    compute_ms: float
    total_ms: float
    queue_ms: float | None = None
    encode_ms: float | None = None
    batch_size: int | None = None


@dataclass(frozen=True)
class Prediction:
    """A class and its probability in 0..1."""

    label: str
    class_index: int
    probability: float


@dataclass(frozen=True)
class Window:
    """What the model says of a part of a sound, likeliest first; of a silent one, nothing."""

    start_s: float
    end_s: float
    predictions: tuple[Prediction, ...]
    silent: bool = False


@dataclass(frozen=True)
class Classification:
    """The likeliest classes, likeliest first.

    segments, duration_s: of a sound, what is said of each of its windows; empty and None of a
        picture.
    """

    model: ModelRef
    predictions: tuple[Prediction, ...]
    timing: Timing
    segments: tuple[Window, ...] = ()
    duration_s: float | None = None


@dataclass(frozen=True)
class Rle:
    """COCO's compressed run lengths, as its tools take them; size is (height, width)."""

    size: Pair
    counts: str


@dataclass(frozen=True)
class SegmentedClass:
    """A class that is in the picture, with its pixels and their share in 0..1."""

    class_index: int
    label: str
    color: Color
    pixels: int
    share: float
    rle: Rle

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """(H, W) of the picture, True where the class is."""
        return decode_rle(self.rle.counts, self.rle.size)


@dataclass(frozen=True)
class Segmentation:
    """The class of every pixel, at the picture's own size; the largest class comes first."""

    model: ModelRef
    height: int
    width: int
    classes: tuple[SegmentedClass, ...]
    timing: Timing

    @cached_property
    def mask(self) -> NDArray[np.uint8]:
        """(H, W) class indices."""
        mask = np.zeros((self.height, self.width), np.uint8)
        for found in self.classes:
            mask[found.mask] = found.class_index
        return mask


@dataclass(frozen=True)
class SoundClass:
    """A class that is in a sound, with its seconds and their share in 0..1."""

    class_index: int
    label: str
    seconds: float
    share: float


@dataclass(frozen=True)
class Span:
    """A time of one class."""

    start_s: float
    end_s: float
    class_index: int
    label: str


@dataclass(frozen=True)
class SoundSegmentation:
    """The class at every moment of a sound; segments follow each other without a gap."""

    model: ModelRef
    duration_s: float
    frame_s: float
    classes: tuple[SoundClass, ...]
    segments: tuple[Span, ...]
    timing: Timing


@dataclass(frozen=True)
class Value:
    """A quantity that was measured; None if the model gave no number."""

    name: str
    unit: str
    value: float | None


@dataclass(frozen=True)
class MeasuredWindow:
    """What was measured in a part of a sound; in a silent one, nothing."""

    start_s: float
    end_s: float
    values: tuple[Value, ...]
    silent: bool = False


@dataclass(frozen=True)
class Measurement:
    """What was measured in a sound, and in each of its windows."""

    model: ModelRef
    values: tuple[Value, ...]
    segments: tuple[MeasuredWindow, ...]
    duration_s: float
    timing: Timing


@dataclass(frozen=True)
class Peak:
    """The middle of the strongest cell: x and y in pixels, or of a sound time_s and band."""

    x: float | None = None
    y: float | None = None
    time_s: float | None = None
    band: float | None = None


@dataclass(frozen=True)
class Explanation:
    """Where the model looks for a class; see the server's guide for what the figures mean."""

    model: ModelRef
    method: str
    layer: str | None
    class_index: int
    label: str
    probability: float
    shape: Pair
    minimum: float | None
    maximum: float | None
    degenerate: bool
    reason: str | None
    peak: Peak | None
    channels: int | None
    channels_used: int | None
    runs: int
    timing: Timing


@dataclass(frozen=True)
class StabilityPoint:
    """The answer to an input that was moved by so much."""

    amount: float
    probability: float | None
    class_index: int
    label: str
    agrees: bool | float


@dataclass(frozen=True)
class StabilityCurve:
    """One way to move an input, ever further; consistency in 0..1."""

    transform: str
    variant: str | None
    unit: str
    consistency: float
    points: tuple[StabilityPoint, ...]


@dataclass(frozen=True)
class Stability:
    """How the answer changes as the input is moved."""

    model: ModelRef
    class_index: int
    label: str
    probability: float | None
    curves: tuple[StabilityCurve, ...]
    runs: int
    timing: Timing


@dataclass(frozen=True)
class Layer:
    """A layer that can be looked at; pairs are (vertical, horizontal), shape without the batch."""

    name: str
    module: str
    op: str
    shape: tuple[int | None, ...]
    kernel: tuple[int, ...] | None
    stride: tuple[int, ...] | None
    padding: tuple[int, ...] | None
    dilation: tuple[int, ...] | None
    groups: int | None
    parameters: int
    macs: int | None
    receptive_field: Pair | None
    local_receptive_field: Pair | None
    jump: Pair | None
    start: tuple[float, float] | None
    macs_share: float | None
    parameters_share: float | None
    sees: float | None


@dataclass(frozen=True)
class Totals:
    """Sums over the whole graph."""

    parameters: int
    macs: int | None


@dataclass(frozen=True)
class Layers:
    """The layer table, in the order in which the layers are computed."""

    model: ModelRef
    sample_rate_hz: int | None
    layers: tuple[Layer, ...]
    totals: Totals


@dataclass(frozen=True)
class ModelVersion:
    """A version that answers (`ready`), that must not (`refused`), or that is `unloaded`.

    file, reason: of one that is not ready. All else is of one that is.
    """

    version: int | None
    state: str
    task: str | None = None
    description: str | None = None
    execution_provider: str | None = None
    golden_difference: float | None = None
    memory_bytes: int | None = None
    labels: tuple[str, ...] = ()
    colors: tuple[Color, ...] = ()
    units: tuple[str, ...] = ()
    input: Mapping[str, Any] | None = None
    preprocessing: Mapping[str, Any] | None = None
    metrics: tuple[Mapping[str, Any], ...] = ()
    taps: int | None = None
    license: str | None = None
    file: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Model:
    """A model; served_version answers when none is asked for, None if none is ready."""

    name: str
    served_version: int | None
    versions: tuple[ModelVersion, ...]


@dataclass(frozen=True)
class ModelState:
    """Whether a version may answer."""

    name: str
    version: int | None
    state: str
    execution_provider: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Readiness:
    """Whether the server should get requests; detail says why not."""

    ready: bool
    models: tuple[ModelState, ...] = ()
    detail: str | None = None
