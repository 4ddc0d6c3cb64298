"""Trains one net by one recipe, in Lightning, so that a resume is exact and torchrun works."""

import importlib.util
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    ModelCheckpoint,
)
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor, nn

from service.contract.errors import SetupError
from training.data.batches import EpochBatches
from training.deployed import Normalise
from training.encoder_start import start_encoder
from training.nets.registry import build_net, check_task
from training.precision import choose_precision
from training.progress import EpochTable
from training.recipe import Recipe
from training.run_folder import RunFacts, RunFolder
from training.tasks import TASKS, HeldOut

# pixels that a net may look at before training, as many as 5,000 pictures of 32x32
FITTING_PIXELS = 5_000 * 32 * 32


def fit(
    run: RunFolder,
    recipe_text: str,
    recipe: Recipe,
    data: str,
    seed: int,
    stop_after: int | None,
    held_out: str | None = None,
) -> None:
    """Train from scratch, or go on from the run's last checkpoint if there is one.

    stop_after: epochs after which to pause; the schedule is still that of the whole recipe.
    held_out: see `Task.open`.
    Raises: SetupError if any of the data cannot be read, or the run folder holds another run.
    """
    check_task(recipe.net.kind, recipe.task)
    task = TASKS[recipe.task]
    opened = task.open(data, held_out)
    digest = opened.digest()
    if run.last.exists():
        _check_same_run(run, recipe_text, digest, seed)
    if run.done.exists() or _epochs_done(run) >= (stop_after or recipe.training.epochs + 1):
        return
    # a broken file of the test split must not come to light after hours of training
    task.held_out(opened.splits["test"], recipe)
    dataset = task.with_validation(opened, recipe.data.validation_share, seed)
    tensors = task.training_tensors(dataset.splits["train"], recipe)
    resumed = run.last.exists()
    net = _fresh_net(recipe, len(dataset.classes), tensors[0], seed)
    sample = task.sample(tensors[0], net, recipe)
    if resumed:
        facts = run.facts()
    else:
        if recipe.net.encoder_checkpoint:
            start_encoder(net, recipe.net.encoder_checkpoint)
        # under torchrun each process probes for itself; gradients are float32 in either case
        facts = RunFacts(
            data=data,
            held_out=held_out,
            data_digest=digest,
            dataset=dataset.name,
            classes=dataset.classes,
            seed=seed,
            precision=_precision(net, sample, recipe),
            processes=_world_size(),
        )
        if int(os.environ.get("RANK", "0")) == 0:
            run.begin(recipe_text, facts)
    validation = dataset.splits.get("validation")
    judged = None if validation is None else task.held_out(validation, recipe)
    stream = _Batches(recipe, tensors, len(dataset.classes), judged, seed)
    steps = _total_steps(recipe, stream)
    module = task.module(net, tensors[1], len(dataset.classes), recipe, steps)
    trainer = _trainer(run, recipe, module.figures if judged else None, facts.precision, stop_after)
    trainer.fit(
        module, datamodule=stream, ckpt_path=str(run.last) if resumed else None, weights_only=False
    )
    if trainer.is_global_zero and (trainer.should_stop or not _is_pause(stop_after, recipe)):
        run.done.touch()


class _Batches(lightning.LightningDataModule):
    """Hands Lightning a fresh stream each epoch, so that every epoch stands alone."""

    def __init__(
        self,
        recipe: Recipe,
        tensors: tuple[Any, Tensor],
        classes: int,
        held_out: HeldOut | None,
        seed: int,
    ) -> None:
        super().__init__()
        self.recipe, self.tensors, self.classes, self.seed = recipe, tensors, classes, seed
        self.held_out = held_out

    def epoch(self, number: int, rank: int, world_size: int) -> EpochBatches:
        task = TASKS[self.recipe.task]
        place = {"seed": self.seed, "epoch": number, "rank": rank, "world_size": world_size}
        return task.epoch(self.tensors, self.classes, self.recipe, **place)

    def train_dataloader(self) -> EpochBatches:
        trainer = self.trainer
        assert trainer is not None
        torch.manual_seed(self.seed * 1_000_003 + trainer.current_epoch)  # dropout's stream
        return self.epoch(trainer.current_epoch, trainer.global_rank, trainer.world_size)

    def val_dataloader(self) -> HeldOut | list[Any]:
        return self.held_out or []


def _fresh_net(recipe: Recipe, classes: int, inputs: Any, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    net = build_net(recipe.net.kind, classes, recipe.data.channels, recipe.net.options)
    if hasattr(net, "fit_to"):
        enough = max(1, FITTING_PIXELS // inputs[0, 0].numel())
        few = inputs[:: max(1, len(inputs) // enough)]
        net.fit_to(Normalise(recipe.data)(few.float() / 255))
    return net


def _precision(net: nn.Module, sample: Tensor, recipe: Recipe) -> str:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    probe_net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return choose_precision(probe_net, sample.to(device), recipe.training.precision)


def _check_same_run(run: RunFolder, recipe_text: str, digest: str, seed: int) -> None:
    facts = run.facts()
    if run.recipe_text() != recipe_text or facts.seed != seed:
        raise SetupError(
            f"{run.path} holds a run with another recipe or seed; "
            "give another --out, or delete it to begin anew"
        )
    if facts.data_digest != digest:
        raise SetupError(
            f"{run.path} was begun with other pictures or sounds: going on would mix those it has "
            "trained on with those it is tested on; give another --out, or delete it"
        )


def _epochs_done(run: RunFolder) -> int:
    if not run.last.exists():
        return 0
    return 1 + int(torch.load(run.last, map_location="cpu", weights_only=True)["epoch"])


def _is_pause(stop_after: int | None, recipe: Recipe) -> bool:
    return stop_after is not None and stop_after < recipe.training.epochs


def _world_size() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def _total_steps(recipe: Recipe, stream: _Batches) -> int:
    epoch = stream.epoch(0, rank=0, world_size=_world_size())
    # one more than are taken: the schedule must not pass zero after the last one
    return len(epoch) * recipe.training.epochs + 1


def _trainer(
    run: RunFolder,
    recipe: Recipe,
    figures: Sequence[str] | None,
    precision: str,
    stop_after: int | None,
) -> lightning.Trainer:
    """figures: what is logged of the validation; None where there is none."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # the notes are about data loader workers and logging intervals that this design has not
    warnings.filterwarnings("ignore", module="lightning")
    world, local = _world_size(), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    has_tensorboard = importlib.util.find_spec("tensorboard") is not None
    return lightning.Trainer(
        default_root_dir=run.path,
        accelerator="auto",
        devices=local,
        num_nodes=world // local,
        strategy="ddp" if world > 1 else "auto",
        precision="bf16-mixed" if precision == "bf16" else "32-true",
        max_epochs=min(stop_after or recipe.training.epochs, recipe.training.epochs),
        callbacks=_callbacks(run, recipe, figures),
        logger=TensorBoardLogger(run.path, name="tensorboard", version="")
        if has_tensorboard
        else False,
        enable_progress_bar=sys.stderr.isatty(),
        enable_model_summary=False,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
    )


def _callbacks(run: RunFolder, recipe: Recipe, figures: Sequence[str] | None) -> list[Callback]:
    training = recipe.training
    judged = () if figures is None else ("validation_loss", *figures)
    found: list[Callback] = [EpochTable(run.metrics, judged)]
    if training.ema_decay:
        found.append(EMAWeightAveraging(decay=training.ema_decay))
    if training.patience and judged:
        found.append(
            EarlyStopping(
                "validation_loss",
                patience=training.patience,
                check_on_train_epoch_end=True,
            )
        )
    shared = {"save_on_train_epoch_end": True, "enable_version_counter": False}
    if judged and training.keep == "best":
        # the loss, because an accuracy over a few hundred examples is mostly luck
        found.append(
            ModelCheckpoint(run.checkpoints, filename="best", monitor="validation_loss", **shared)
        )
    # not `save_last`: that one is a copy of the latest best, and a resume would repeat epochs
    found.append(ModelCheckpoint(run.checkpoints, filename="last", **shared))
    return found
