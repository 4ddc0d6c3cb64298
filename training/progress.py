"""The log of a run: one row an epoch in `metrics.csv`, kept across resumes."""

import csv
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.utilities import rank_zero_only


class EpochTable(lightning.Callback):
    """Writes metrics.csv and counts training minutes.

    Lightning's CSVLogger deletes what an earlier part of the run wrote when it is resumed;
    this one goes on where the checkpoint left off, minutes included.
    figures: what is logged of the validation, such as its loss; empty where there is none.
    """

    def __init__(self, file: Path, figures: Sequence[str]) -> None:
        self.file = file
        self.columns = (
            *("epoch", "train_loss"),
            *figures,
            *("learning_rate", "minutes"),
        )
        self.seconds = 0.0
        self._begun = 0.0

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        self._begun = time.monotonic()
        self._keep_rows_before(trainer.current_epoch)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        now = time.monotonic()
        self.seconds, self._begun = self.seconds + now - self._begun, now
        found = {name: float(value) for name, value in trainer.callback_metrics.items()}
        found["learning_rate"] = trainer.optimizers[0].param_groups[0]["lr"]
        found["minutes"] = self.seconds / 60
        values = [f"{found[name]:.6g}" for name in self.columns[1:]]
        self._append([trainer.current_epoch + 1, *values])

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds = state_dict["seconds"]

    @rank_zero_only
    def _keep_rows_before(self, epoch: int) -> None:
        rows = []
        if self.file.exists():
            with self.file.open(newline="") as stream:
                rows = list(csv.reader(stream))[1 : epoch + 1]
        with self.file.open("w", newline="") as stream:
            csv.writer(stream).writerows([self.columns, *rows])

    @rank_zero_only
    def _append(self, row: list[object]) -> None:
        with self.file.open("a", newline="") as stream:
            csv.writer(stream).writerow(row)


def read_minutes(file: Path) -> float | None:
    """Return the training minutes that a metrics.csv counted, None if it has no rows."""
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return float(rows[-1]["minutes"]) if rows else None
