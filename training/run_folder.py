"""A run folder: the recipe as it was, what was decided at the start, and what came of it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from service.contract.errors import SetupError
from training.recipe import Recipe, parse_recipe


class RunFacts(BaseModel):
    """Written at the start of a run, so that a resume and an export need nothing else.

    held_out: `COLUMN=VALUE` that was tested on, None for the data set's own test split.
    data_digest: of the names, labels and splits; a run never mixes two data sets.
    precision: what the probe chose; a resume must not choose again.
    processes: how many trained together.
    """

    data: str
    held_out: str | None = None
    data_digest: str
    dataset: str
    classes: tuple[str, ...]
    seed: int
    precision: str
    processes: int = 1


@dataclass(frozen=True)
class RunFolder:
    """Where a training keeps everything that it writes."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The checkpoint that the recipe keeps: that of the lowest validation loss, or the last."""
        judged = self.checkpoints / "best.ckpt"
        return judged if judged.exists() else self.last

    @property
    def last(self) -> Path:
        return self.checkpoints / "last.ckpt"

    @property
    def done(self) -> Path:
        """Exists once the training has run to its end, early or not."""
        return self.path / "done"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def evaluation(self) -> Path:
        return self.path / "evaluation.json"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other training out of this folder while inside.

        Raises: SetupError if one is at work in it: two would overwrite each other's checkpoints.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise SetupError(f"another training is at work in {self.path}") from error
            yield

    def recipe_text(self) -> str:
        """Return the text of the recipe that this run followed."""
        return self._read(self.path / "recipe.toml")

    def recipe(self) -> Recipe:
        """Return the recipe that this run followed."""
        return parse_recipe(self.recipe_text(), str(self.path / "recipe.toml"))

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
