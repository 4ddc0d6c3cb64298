"""A recipe: everything that a training depends on but the data and the seed, as a TOML file."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import ValidationError, model_validator

from service.contract.errors import SetupError
from service.contract.specs import FREE_SIZE
from training.recipe_parts import (
    AugmentRecipe,
    DataRecipe,
    LossRecipe,
    NetRecipe,
    Part,
    TrainingRecipe,
)
from training.sound_parts import SoundAugmentRecipe, SoundDataRecipe

RECIPES = Path(__file__).parent / "recipes"


class InvalidRecipe(SetupError):
    """A recipe that cannot be followed."""


class Recipe(Part):
    """What recipes of all tasks have; see the files in `training/recipes/`.

    description, license: go into the manifest and the card of every model made by it.
    """

    name: str
    description: str
    license: str
    caveats: tuple[str, ...] = ()
    net: NetRecipe


class ImageRecipe(Recipe):
    """A recipe for pictures; loss: for segmenters."""

    training: TrainingRecipe

    task: Literal["image-classification", "image-segmentation"] = "image-classification"
    data: DataRecipe
    augment: AugmentRecipe = AugmentRecipe()
    loss: LossRecipe = LossRecipe()

    @model_validator(mode="after")
    def _options_fit_the_task(self) -> "ImageRecipe":
        misplaced = _MISPLACED[self.task](self)
        if misplaced:
            raise ValueError(f"{self.task} cannot have {', '.join(misplaced)}")
        return self


class SoundRecipe(Recipe):
    """A recipe for sounds."""

    training: TrainingRecipe

    task: Literal["audio-classification", "audio-regression"]
    data: SoundDataRecipe
    augment: SoundAugmentRecipe = SoundAugmentRecipe()

    @model_validator(mode="after")
    def _net_hears_what_the_data_is(self) -> "SoundRecipe":
        for name in ("sample_rate_hz", "window_s"):
            wanted = getattr(self.data, name)
            told = self.net.options.get(name, wanted)
            if told != wanted:
                raise ValueError(f"net.options.{name} is {told}, but data.{name} is {wanted}")
        return self

    @model_validator(mode="after")
    def _options_are_for_sounds(self) -> "SoundRecipe":
        if self.training.sizes or self.net.encoder_checkpoint:
            raise ValueError(f"{self.task} cannot have training.sizes or net.encoder_checkpoint")
        misplaced = _misplaced_in_sounds(self)
        if misplaced:
            raise ValueError(f"{self.task} cannot have {', '.join(misplaced)}")
        return self


class HandSetRecipe(Recipe):
    """A recipe for sounds whose net needs no training: its options say all of it."""

    task: Literal["audio-segmentation"]
    labels: tuple[str, ...]
    data: SoundDataRecipe


def _misplaced_in_classification(recipe: ImageRecipe) -> list[str]:
    found = {
        f"data.resize = {recipe.data.resize!r}": recipe.data.resize in FREE_SIZE,
        "data.height and data.width": recipe.data.size is None,
        "net.encoder_checkpoint": recipe.net.encoder_checkpoint is not None,
        "augment.crop": recipe.augment.crop is not None,
        "loss": recipe.loss != LossRecipe(),
    }
    return [name for name, is_there in found.items() if is_there]


def _misplaced_in_sounds(recipe: SoundRecipe) -> list[str]:
    if recipe.task == "audio-classification":
        return ["data.source"] if recipe.data.source != "folder" else []
    found = {
        "augment.speed": recipe.augment.speed > 0,  # it changes tempo and pitch
        "augment.mixup": recipe.augment.mixup > 0,
        "augment.masks": recipe.augment.masks > 0,
        "training.balance_classes": recipe.training.balance_classes,
        "training.label_smoothing": recipe.training.label_smoothing > 0,
    }
    return [name for name, is_there in found.items() if is_there]


def _misplaced_in_segmentation(recipe: ImageRecipe) -> list[str]:
    crops = recipe.data.resize == "shortest_side_center_crop"
    found = {
        f"data.resize = {recipe.data.resize!r}": crops,
        "data.source": recipe.data.source != "folder",
        "data.stored_size": recipe.data.stored_size is not None,
        "augment.translate_px": recipe.augment.translate_px > 0,
        "augment.cutout_px": recipe.augment.cutout_px > 0,
        "augment.mixup": recipe.augment.mixup > 0,
        "training.sizes": bool(recipe.training.sizes),
        "training.balance_classes": recipe.training.balance_classes,
    }
    return [name for name, is_there in found.items() if is_there]


_MISPLACED = {
    "image-classification": _misplaced_in_classification,
    "image-segmentation": _misplaced_in_segmentation,
}


_RECIPES: dict[object, type[Recipe]] = {
    "audio-classification": SoundRecipe,
    "audio-regression": SoundRecipe,
    "audio-segmentation": HandSetRecipe,
}


def load_recipe(name_or_path: str) -> tuple[Recipe, str]:
    """Return a bundled recipe by name, with hyphens or underscores, or a TOML file; and its text.

    Raises: InvalidRecipe if there is none, or it cannot be followed.
    """
    path = Path(name_or_path)
    if not path.is_file():
        path = RECIPES / f"{name_or_path.replace('-', '_')}.toml"
    if not path.is_file():
        bundled = ", ".join(sorted(file.stem for file in RECIPES.glob("*.toml")))
        raise InvalidRecipe(f"no recipe {name_or_path!r}; a file, or one of: {bundled}")
    text = path.read_text()
    return parse_recipe(text, str(path)), text


def parse_recipe(text: str, shown_as: str) -> Recipe:
    """Return the recipe in a TOML text; raises InvalidRecipe naming `shown_as`."""
    try:
        found = tomllib.loads(text)
        return _RECIPES.get(found.get("task"), ImageRecipe).model_validate(found)
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise InvalidRecipe(f"{shown_as}: {error}") from error
