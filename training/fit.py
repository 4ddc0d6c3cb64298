"""Trains one net by one recipe, in Lightning, so that a resume is exact and torchrun works."""

import importlib.util
import logging
import os
import sys
import warnings
from typing import Any

import lightning
import numpy as np
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
from training.data.batches import HeldOutBatches, TrainBatches
from training.data.pictures import DataSet, Pictures
from training.data.splits import open_dataset, with_validation
from training.module import Classifier
from training.nets.registry import build_net
from training.precision import choose_precision
from training.progress import EpochTable
from training.recipe import Recipe
from training.run_folder import RunFacts, RunFolder

WHITENING_IMAGES = 5_000


def fit(
    run: RunFolder, recipe_text: str, recipe: Recipe, data: str, seed: int, stop_after: int | None
) -> None:
    """Train from scratch, or go on from the run's last checkpoint if there is one.

    stop_after: epochs after which to pause; the schedule is still that of the whole recipe.
    """
    dataset = with_validation(open_dataset(data), recipe.data.validation_share, seed)
    images, labels = _training_tensors(dataset.splits["train"], recipe)
    net = _fresh_net(recipe, dataset, images, seed)
    resumed = run.last.exists()
    if resumed:
        facts = _facts_of_same_run(run, recipe_text, dataset, seed)
    else:
        # under torchrun each process probes for itself; gradients are float32 in either case
        facts = _decide(net, images, recipe, dataset, data, seed)
        if int(os.environ.get("RANK", "0")) == 0:
            run.begin(recipe_text, facts)
    counts = torch.bincount(labels, minlength=len(dataset.classes))
    module = Classifier(net, counts, recipe, _total_steps(recipe, images, labels))
    stream = _Batches(images, labels, dataset, recipe, seed)
    _trainer(run, recipe, facts.precision, stop_after).fit(
        module, datamodule=stream, ckpt_path=str(run.last) if resumed else None, weights_only=False
    )


class _Batches(lightning.LightningDataModule):
    """Hands Lightning a fresh stream each epoch, so that every epoch stands alone."""

    def __init__(
        self, images: Tensor, labels: Tensor, dataset: DataSet, recipe: Recipe, seed: int
    ) -> None:
        super().__init__()
        self.images, self.labels, self.seed, self.recipe = images, labels, seed, recipe
        self.classes = len(dataset.classes)
        pictures = dataset.splits["validation"]
        inputs = pictures.model_inputs(recipe.data.preprocessing())
        self.held_out = HeldOutBatches(
            _to_channels_first(inputs), torch.from_numpy(pictures.labels)
        )

    def train_dataloader(self) -> TrainBatches:
        trainer = self.trainer
        assert trainer is not None
        torch.manual_seed(self.seed * 1_000_003 + trainer.current_epoch)  # dropout's stream
        return TrainBatches(
            self.images,
            self.labels,
            self.classes,
            self.recipe,
            self.seed,
            trainer.current_epoch,
            trainer.global_rank,
            trainer.world_size,
        )

    def val_dataloader(self) -> HeldOutBatches:
        return self.held_out


def _to_channels_first(images: np.ndarray[Any, np.dtype[np.uint8]]) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def _training_tensors(pictures: Pictures, recipe: Recipe) -> tuple[Tensor, Tensor]:
    spec = recipe.data.preprocessing(recipe.data.stored_size)
    return _to_channels_first(pictures.model_inputs(spec)), torch.from_numpy(pictures.labels)


def _fresh_net(recipe: Recipe, dataset: DataSet, images: Tensor, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    channels = recipe.data.preprocessing().channels
    net = build_net(recipe.net.kind, len(dataset.classes), channels, recipe.net.options)
    if hasattr(net, "fit_to"):
        net.fit_to(_normalised(images[:: max(1, len(images) // WHITENING_IMAGES)], recipe))
    return net


def _normalised(images: Tensor, recipe: Recipe) -> Tensor:
    mean, std = (
        torch.tensor(numbers).reshape(-1, 1, 1) for numbers in (recipe.data.mean, recipe.data.std)
    )
    return (images.float() / 255 - mean) / std


def _decide(
    net: nn.Module, images: Tensor, recipe: Recipe, dataset: DataSet, data: str, seed: int
) -> RunFacts:
    size = recipe.data.size
    sample = _normalised(images[: min(128, recipe.training.batch_size)], recipe)
    sample = nn.functional.interpolate(sample, (size, size))
    sample = sample.contiguous(memory_format=torch.channels_last)
    probe_net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    precision = choose_precision(probe_net, sample, recipe.training.precision)
    return RunFacts(
        data=data, dataset=dataset.name, classes=dataset.classes, seed=seed, precision=precision
    )


def _facts_of_same_run(run: RunFolder, recipe_text: str, dataset: DataSet, seed: int) -> RunFacts:
    facts = run.facts()
    same_recipe = (run.path / "recipe.toml").read_text() == recipe_text
    if not same_recipe or facts.seed != seed or facts.classes != dataset.classes:
        raise SetupError(
            f"{run.path} holds a run with another recipe, seed or classes; "
            "give another --out, or delete it to begin anew"
        )
    return facts


def _total_steps(recipe: Recipe, images: Tensor, labels: Tensor) -> int:
    world = int(os.environ.get("WORLD_SIZE", "1"))
    epoch = TrainBatches(images, labels, 1, recipe, seed=0, epoch=0, world_size=world)
    # one more than are taken: the schedule must not pass zero after the last one
    return len(epoch) * recipe.training.epochs + 1


def _trainer(
    run: RunFolder, recipe: Recipe, precision: str, stop_after: int | None
) -> lightning.Trainer:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # the notes are about data loader workers and logging intervals that this design has not
    warnings.filterwarnings("ignore", module="lightning")
    world = int(os.environ.get("WORLD_SIZE", "1"))
    has_tensorboard = importlib.util.find_spec("tensorboard") is not None
    return lightning.Trainer(
        default_root_dir=run.path,
        accelerator="auto",
        devices=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        num_nodes=world // int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        strategy="ddp" if world > 1 else "auto",
        precision="bf16-mixed" if precision == "bf16" else "32-true",
        max_epochs=min(stop_after or recipe.training.epochs, recipe.training.epochs),
        callbacks=_callbacks(run, recipe),
        logger=TensorBoardLogger(run.path, name="tensorboard", version="")
        if has_tensorboard
        else False,
        enable_progress_bar=sys.stderr.isatty(),
        enable_model_summary=False,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
    )


def _callbacks(run: RunFolder, recipe: Recipe) -> list[Callback]:
    training = recipe.training
    found: list[Callback] = [EpochTable(run.metrics)]
    if training.ema_decay:
        found.append(EMAWeightAveraging(decay=training.ema_decay))
    if training.patience:
        found.append(
            EarlyStopping(
                "validation_loss",
                patience=training.patience,
                check_on_train_epoch_end=True,
            )
        )
    shared = {"save_on_train_epoch_end": True, "enable_version_counter": False}
    # the loss, because an accuracy over a few hundred pictures is mostly luck
    found.append(
        ModelCheckpoint(run.checkpoints, filename="best", monitor="validation_loss", **shared)
    )
    # not `save_last`: that one is a copy of the latest best, and a resume would repeat epochs
    found.append(ModelCheckpoint(run.checkpoints, filename="last", **shared))
    return found
