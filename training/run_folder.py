"""A run folder: the recipe as it was, what was decided at the start, and what came of it."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from service.contract.errors import SetupError
from training.recipe import Recipe, parse_recipe


class RunFacts(BaseModel):
    """Written at the start of a run, so that a resume and an export need nothing else.

    precision: what the probe chose; a resume must not choose again.
    """

    data: str
    dataset: str
    classes: tuple[str, ...]
    seed: int
    precision: str


@dataclass(frozen=True)
class RunFolder:
    """Where a training keeps everything that it writes."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        return self.checkpoints / "best.ckpt"

    @property
    def last(self) -> Path:
        return self.checkpoints / "last.ckpt"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def evaluation(self) -> Path:
        return self.path / "evaluation.json"

    def recipe(self) -> Recipe:
        """Return the recipe that this run followed."""
        file = self.path / "recipe.toml"
        return parse_recipe(self._read(file), str(file))

    def facts(self) -> RunFacts:
        """Return what was decided when the run began."""
        return RunFacts.model_validate_json(self._read(self.path / "run.json"))

    def begin(self, recipe_text: str, facts: RunFacts) -> None:
        """Write the recipe and the facts."""
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / "recipe.toml").write_text(recipe_text)
        (self.path / "run.json").write_text(facts.model_dump_json(indent=1) + "\n")

    def _read(self, file: Path) -> str:
        try:
            return file.read_text()
        except OSError as error:
            raise SetupError(f"{self.path} is no run folder: {file.name} cannot be read") from error
