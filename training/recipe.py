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

RECIPES = Path(__file__).parent / "recipes"


class InvalidRecipe(SetupError):
    """A recipe that cannot be followed."""


class Recipe(Part):
    """A whole recipe; see the files in `training/recipes/`.

    description, license: go into the manifest and the card of every model made by it.
    loss: for segmenters.
    """

    name: str
    task: Literal["image-classification", "image-segmentation"] = "image-classification"
    description: str
    license: str
    caveats: tuple[str, ...] = ()
    data: DataRecipe
    net: NetRecipe
    augment: AugmentRecipe = AugmentRecipe()
    loss: LossRecipe = LossRecipe()
    training: TrainingRecipe

    @model_validator(mode="after")
    def _options_fit_the_task(self) -> "Recipe":
        misplaced = _MISPLACED[self.task](self)
        if misplaced:
            raise ValueError(f"{self.task} cannot have {', '.join(misplaced)}")
        return self


def _misplaced_in_classification(recipe: Recipe) -> list[str]:
    found = {
        f"data.resize = {recipe.data.resize!r}": recipe.data.resize in FREE_SIZE,
        "data.height and data.width": recipe.data.size is None,
        "net.encoder_checkpoint": recipe.net.encoder_checkpoint is not None,
        "augment.crop": recipe.augment.crop is not None,
        "loss": recipe.loss != LossRecipe(),
    }
    return [name for name, is_there in found.items() if is_there]


def _misplaced_in_segmentation(recipe: Recipe) -> list[str]:
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
