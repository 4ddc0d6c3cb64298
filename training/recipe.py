"""A recipe: everything that a training depends on but the data and the seed, as a TOML file."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service.contract.errors import SetupError
from service.contract.manifest import ImagePreprocessing

RECIPES = Path(__file__).parent / "recipes"
Share = Annotated[float, Field(ge=0, le=1)]


class InvalidRecipe(SetupError):
    """A recipe that cannot be followed."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataRecipe(_Part):
    """How pictures become training tensors.

    size: side of the model's square input, in pixels.
    stored_size: side at which training pictures are kept in memory, before augmentation.
    validation_share: part of the training split held out to choose the checkpoint.
    source: `strokes` draws the data; otherwise the folder comes from the command line.
    mean, std: of the training pixels, in units of 0..1, one per channel.
    """

    source: Literal["folder", "strokes"] = "folder"
    color: Literal["rgb", "gray"] = "rgb"
    resize: Literal["squash", "shortest_side_center_crop", "letterbox"]
    size: Annotated[int, Field(ge=1, le=4096)]
    stored_size: Annotated[int, Field(ge=1, le=4096)] | None = None
    validation_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def preprocessing(self, size: int | None = None) -> ImagePreprocessing:
        """Return the contract's preprocessing, for another side length if given."""
        return ImagePreprocessing(
            color=self.color,
            resize=self.resize,
            height=size or self.size,
            width=size or self.size,
            mean=self.mean,
            std=self.std,
        )


class NetRecipe(_Part):
    """Which net, and the arguments of its constructor."""

    kind: str
    options: dict[str, Any] = {}


class AugmentRecipe(_Part):
    """Random changes of training pictures.

    flip: mirror every other time a picture is seen.
    translate_px: largest shift each way; what is uncovered is reflected.
    cutout_px: side of a square blanked to the mean; 0 for none.
    crop_scale: smallest and largest share of the area that a random crop keeps.
    rotate_degrees, shear_degrees: largest angle each way.
    zoom: smallest and largest enlargement.
    jitter: largest relative change of brightness, contrast and saturation.
    mixup: alpha of the Beta distribution; 0 for none.
    """

    flip: bool = False
    translate_px: Annotated[int, Field(ge=0)] = 0
    cutout_px: Annotated[int, Field(ge=0)] = 0
    crop_scale: tuple[Share, Share] = (1.0, 1.0)
    rotate_degrees: Annotated[float, Field(ge=0, le=180)] = 0
    shear_degrees: Annotated[float, Field(ge=0, le=60)] = 0
    zoom: tuple[float, float] = (1.0, 1.0)
    jitter: Share = 0
    mixup: Annotated[float, Field(ge=0)] = 0


class TrainingRecipe(_Part):
    """The optimiser and its schedule.

    schedule: how the learning rate falls to zero after the warm-up.
    warmup_share: part of all steps in which it rises.
    balance_classes: let rare classes weigh as much as common ones in the loss.
    ema_decay: per step; 0 for no averaging of weights.
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
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0
    balance_classes: bool = False
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0
    patience: Annotated[int, Field(ge=0)] = 0
    sizes: tuple[tuple[Share, int], ...] = ()
    precision: Literal["auto", "bf16", "fp32"] = "auto"


class Recipe(_Part):
    """A whole recipe; see the files in `training/recipes/`.

    description, license: go into the manifest and the card of every model made by it.
    """

    name: str
    description: str
    license: str
    caveats: tuple[str, ...] = ()
    data: DataRecipe
    net: NetRecipe
    augment: AugmentRecipe = AugmentRecipe()
    training: TrainingRecipe

    @model_validator(mode="after")
    def _channels_agree(self) -> "Recipe":
        channels = self.data.preprocessing().channels
        if not len(self.data.mean) == len(self.data.std) == channels:
            raise ValueError(f"data: mean and std need {channels} numbers for {self.data.color}")
        return self


def load_recipe(name_or_path: str) -> tuple[Recipe, str]:
    """Return a bundled recipe by name, or the one in a TOML file, with its text.

    Raises: InvalidRecipe if there is none, or it cannot be followed.
    """
    path = Path(name_or_path)
    if not path.is_file():
        path = RECIPES / f"{name_or_path}.toml"
    if not path.is_file():
        bundled = ", ".join(sorted(file.stem for file in RECIPES.glob("*.toml")))
        raise InvalidRecipe(f"no recipe {name_or_path!r}; a file, or one of: {bundled}")
    text = path.read_text()
    return parse_recipe(text, str(path)), text


def parse_recipe(text: str, shown_as: str) -> Recipe:
    """Return the recipe in a TOML text; raises InvalidRecipe naming `shown_as`."""
    try:
        return Recipe.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise InvalidRecipe(f"{shown_as}: {error}") from error
