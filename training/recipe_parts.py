"""The parts of a recipe, each one table of its TOML file."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.contract.specs import ImagePreprocessing

Share = Annotated[float, Field(ge=0, le=1)]
Side = Annotated[int, Field(ge=1, le=4096)]


class Part(BaseModel):
    """What all parts share: they never change, and know no other options."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataRecipe(Part):
    """How pictures become training tensors.

    size: side of the model's input where it is square, in pixels; or else height and width.
    multiple: for `same_area` and `none`, what the sides of the input are multiples of.
    stored_size: side at which training pictures are kept in memory, before augmentation.
    validation_share: part of the training split held out to choose the checkpoint.
    source: `strokes` draws the data; otherwise the folder comes from the command line.
    mean, std: of the training pixels, in units of 0..1, one per channel.
    """

    source: Literal["folder", "strokes"] = "folder"
    color: Literal["rgb", "gray"] = "rgb"
    resize: Literal["squash", "shortest_side_center_crop", "letterbox", "same_area", "none"]
    size: Side | None = None
    height: Side | None = None
    width: Side | None = None
    multiple: Annotated[int, Field(ge=1, le=256)] = 1
    stored_size: Side | None = None
    validation_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def height_width(self) -> tuple[int, int]:
        """Height and width in pixels, however the recipe says them."""
        # the validator below lets no other combination pass
        return (self.height or self.size or 0, self.width or self.size or 0)

    @property
    def channels(self) -> int:
        """Channels of the model's input."""
        return 3 if self.color == "rgb" else 1

    def preprocessing(self, size: int | None = None) -> ImagePreprocessing:
        """Return the contract's preprocessing, for another (square) size if given."""
        height, width = (size, size) if size else self.height_width
        return ImagePreprocessing(
            color=self.color,
            resize=self.resize,
            height=height,
            width=width,
            multiple=self.multiple,
            mean=self.mean,
            std=self.std,
        )

    @model_validator(mode="after")
    def _size_is_said_once(self) -> "DataRecipe":
        sides = (self.height is not None) + (self.width is not None)
        if sides != (0 if self.size else 2):
            raise ValueError("give either size or both height and width")
        return self

    @model_validator(mode="after")
    def _channels_agree(self) -> "DataRecipe":
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(f"mean and std need {self.channels} numbers for {self.color}")
        return self


class NetRecipe(Part):
    """Which net, and the arguments of its constructor.

    encoder_checkpoint: a run folder, or a checkpoint of one, whose encoder weights a segmenter
        starts from; its net must have been built with the same encoder options.
    """

    kind: str
    options: dict[str, Any] = {}
    encoder_checkpoint: Path | None = None


class AugmentRecipe(Part):
    """Random changes of training pictures, and of their masks with them.

    flip: mirror every other time a picture is seen.
    crop: height and width in pixels of the piece that a segmenter trains on, anywhere in the
        picture, which `zoom` enlarges first; without it the whole picture.
    translate_px: largest shift each way; what is uncovered is reflected.
    cutout_px: side of a square blanked to the mean; 0 for none.
    crop_scale: smallest and largest share of the area that a random crop keeps.
    rotate_degrees, shear_degrees: largest angle each way.
    zoom: smallest and largest enlargement; what a reduction uncovers is reflected, and void in
        masks.
    jitter: largest relative change of brightness, contrast and saturation.
    hue_degrees: largest turn of the colours, each way.
    gamma: largest exponent; its inverse is the smallest. 1 for none.
    blur: largest share of a 3x3 blur that is mixed in.
    noise: largest standard deviation of Gaussian noise, in units of 0..1.
    mixup: alpha of the Beta distribution; 0 for none.
    """

    flip: bool = False
    crop: tuple[Side, Side] | None = None
    translate_px: Annotated[int, Field(ge=0)] = 0
    cutout_px: Annotated[int, Field(ge=0)] = 0
    crop_scale: tuple[Share, Share] = (1.0, 1.0)
    rotate_degrees: Annotated[float, Field(ge=0, le=180)] = 0
    shear_degrees: Annotated[float, Field(ge=0, le=60)] = 0
    zoom: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (1.0, 1.0)
    jitter: Share = 0
    hue_degrees: Annotated[float, Field(ge=0, le=180)] = 0
    gamma: Annotated[float, Field(ge=1, le=5)] = 1
    blur: Share = 0
    noise: Share = 0
    mixup: Annotated[float, Field(ge=0)] = 0


class LossRecipe(Part):
    """What a segmenter's loss adds to the cross-entropy over all pixels that are not void.

    rare_class_power: a class weighs (its share of the training pixels)^-power: 0 makes pixels
        equal, 1 makes classes equal, 0.5 lies between.
    dice: weight of the soft Dice loss, which looks at overlap and so at what mIoU looks at.
    """

    rare_class_power: Share = 0
    dice: Annotated[float, Field(ge=0)] = 0


class TrainingRecipe(Part):
    """The optimiser and its schedule.

    schedule: how the learning rate falls to zero after the warm-up.
    warmup_share: part of all steps in which it rises.
    passes: how often an epoch shows each picture; more means fewer validations and checkpoints.
    balance_classes: let rare classes weigh as much as common ones in a classifier's loss.
    ema_decay: per step; 0 for no averaging of weights.
    keep: the checkpoint of the lowest validation loss, or the last one: of a few dozen examples,
        the loss is mostly luck.
    patience: epochs without a lower validation loss before stopping; 0 for never.
    sizes: (share of training done, side in px) pairs: train on smaller pictures first.
    precision: `auto` takes bfloat16 where a probe shows it to be faster.
    """

    epochs: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    schedule: Literal["cosine", "linear"] = "cosine"
    warmup_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    passes: Annotated[int, Field(ge=1)] = 1
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0
    balance_classes: bool = False
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0
    keep: Literal["best", "last"] = "best"
    patience: Annotated[int, Field(ge=0)] = 0
    sizes: tuple[tuple[Share, int], ...] = ()
    precision: Literal["auto", "bf16", "fp32"] = "auto"
