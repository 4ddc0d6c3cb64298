"""How what was decoded becomes model input: the part of a manifest that preprocessing obeys."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

# Pictures keep their shape under these, so that the graph must take any height and width.
FREE_SIZE = ("same_area", "none")
# None stands for a dynamic axis, such as the batch.
Shape = tuple[Annotated[int, Field(ge=1)] | None, ...]
Pair = tuple[int, int]
Byte = Annotated[int, Field(ge=0, le=255)]


class Part(BaseModel):
    """What all parts of a manifest share: they never change, and know no other fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ImagePreprocessing(Part):
    """From a decoded picture (H, W, 3) uint8 to one model input (height, width, C) uint8.

    color: `rgb` gives C = 3, `gray` C = 1.
    resize: `squash` ignores the aspect ratio; `shortest_side_center_crop` cuts
        the middle out; `letterbox` keeps everything and pads with `pad_value`;
        `same_area` keeps the aspect ratio and takes as many pixels as height x width has;
        `none` keeps every pixel, and height x width is what the model was trained on.
    multiple: for `same_area` and `none`, what height and width of the input are multiples of;
        what is missing is filled at the bottom and on the right with the last row and column.
    crop_fraction: for `shortest_side_center_crop`, the share of the shorter side that is kept.
    mean, std: the normalisation done inside the graph, in units of 0..1, one per channel.
    """

    kind: Literal["image"] = "image"
    color: Literal["rgb", "gray"]
    resize: Literal["squash", "shortest_side_center_crop", "letterbox", "same_area", "none"]
    height: Annotated[int, Field(ge=1, le=8192)]
    width: Annotated[int, Field(ge=1, le=8192)]
    crop_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    pad_value: Byte = 0
    multiple: Annotated[int, Field(ge=1, le=256)] = 1
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def channels(self) -> int:
        """Channels of the model input: 3 for `rgb`, 1 for `gray`."""
        return 3 if self.color == "rgb" else 1

    @property
    def input_shape(self) -> Shape:
        """Of a batch of inputs: (N, height, width, C), None for what depends on the pictures."""
        if self.resize in FREE_SIZE:
            return (None, None, None, self.channels)
        return (None, self.height, self.width, self.channels)

    @property
    def reference_size(self) -> Pair:
        """Height and width of the input for a picture of the size that it was trained on."""
        if self.resize not in FREE_SIZE:
            return (self.height, self.width)
        return (
            -(-self.height // self.multiple) * self.multiple,
            -(-self.width // self.multiple) * self.multiple,
        )


class AudioPreprocessing(Part):
    """From a decoded sound to model inputs: windows (window_samples,) float32 of a mono waveform.

    sample_rate_hz: of the waveform; sounds of another rate are resampled.
    window_samples: length of one model input.
    hop_samples: from the start of one window to the start of the next.
    tail: what happens where the sound ends within a window. `align`: the last window ends where
        the sound does, and a sound shorter than a window is repeated until it fills one. `zeros`:
        windows stay where they are, and silence follows the sound.
    """

    kind: Literal["audio"] = "audio"
    sample_rate_hz: Annotated[int, Field(ge=1000, le=192_000)]
    window_samples: Annotated[int, Field(ge=16, le=2**24)]
    hop_samples: Annotated[int, Field(ge=1, le=2**24)]
    tail: Literal["align", "zeros"] = "align"

    @property
    def input_shape(self) -> Shape:
        """Of a batch of inputs: (N, window_samples)."""
        return (None, self.window_samples)

    @property
    def reference_size(self) -> tuple[int, ...]:
        """Of one input, without the batch."""
        return (self.window_samples,)

    @model_validator(mode="after")
    def _windows_leave_nothing_out(self) -> "AudioPreprocessing":
        if self.hop_samples > self.window_samples:
            raise ValueError("hop_samples must not be larger than window_samples")
        return self
