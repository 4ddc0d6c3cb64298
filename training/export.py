"""Writes a model version: graph, manifest, golden outputs and card, together or not at all."""

import hashlib
import platform
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from service.contract.errors import SetupError
from service.contract.golden import GOLDEN_NAME, write_golden
from service.contract.manifest import (
    CARD_NAME,
    MODEL_NAME,
    FileRef,
    Golden,
    Graph,
    Manifest,
    Metric,
    Provenance,
    Tensor,
    write_manifest,
)
from service.contract.versions import file_ref, next_version
from training.card import write_card
from training.confusion import write_evaluation
from training.crossvalidation import CrossValidation
from training.data.measured import MeasuredSounds
from training.deployed import Deployed, deploy
from training.evaluate import EVALUATION_NAME, Evaluation, main_metric
from training.judges import JUDGES
from training.nets.registry import build_net
from training.onnx_file import OPSET, to_onnx
from training.parity import Inputs, check_parity, check_sizes, outputs_at_sizes, pytorch_outputs
from training.progress import read_minutes
from training.recipe import Recipe, SoundRecipe
from training.run_folder import RunFacts, RunFolder
from training.taps import find_taps

GRAPH_NAME = "model.onnx"
# In the order in which a manifest tells their figures; those that the data set has.
JUDGED_SPLITS = ("test", "validation")
Evaluations = dict[str, Evaluation]  # by split


def export_run(
    run: RunFolder,
    dataset: Any,
    name: str,
    models_dir: Path,
    sisters: Sequence[Evaluations] = (),
    folds: Sequence[CrossValidation] = (),
) -> Path:
    """Export the run's best checkpoint as the next version of `name`; return its folder.

    The net is proven before anything is kept: every module's output against a forward
    hook, and probabilities on many test pictures, in batches of several sizes. The run folder
    gets the figures on the test split, and on a validation split that the data set has of its
    own, which go into the manifest behind them.
    dataset: as the task of the run's recipe opens it.
    sisters: figures of other seeds of the same recipe, for mean and spread.
    folds: a cross-validation of the same recipe, and others to stand beside it in the card.
    Raises: ExportError if the graph is not the net, SetupError for an unfit name or folds of
        another recipe.
    """
    check_target(name, models_dir)
    if folds and folds[0].recipe_sha256 != _recipe_sha256(run):
        raise SetupError(f"the first cross-validation is not of the recipe of {run.path}")
    if run.facts().data_digest != dataset.digest():
        raise SetupError(f"{run.path} was trained on other data: this cannot judge it")
    deployed = load_deployed(run)
    # made where no server looks, then moved: a version is whole or not there
    staging = Path(tempfile.mkdtemp(prefix=".export-", dir=models_dir))
    try:
        parent = models_dir / name
        number = next_version(parent)
        _Version(staging, run, deployed, dataset).write(name, number, sisters, folds)
        staging.chmod(0o755)
        parent.mkdir(exist_ok=True)
        return staging.rename(parent / str(number))
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def check_target(name: str, models_dir: Path) -> None:
    """Make the repository if need be; raise SetupError if a model could not be written there."""
    if not re.fullmatch(MODEL_NAME, name):
        raise SetupError(
            f"{name!r} is no model name: at most 64 lower-case letters, digits, '.', '_' and '-'"
        )
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=models_dir).close()
    except OSError as error:
        raise SetupError(f"{models_dir} cannot be written: {error.strerror}") from error


def load_deployed(run: RunFolder) -> Deployed:
    """Return the run's net with the weights of its best checkpoint, in evaluation mode."""
    recipe, facts = run.recipe(), run.facts()
    if not run.best.exists():
        raise SetupError(f"{run.path} has no checkpoint yet")
    net = build_net(recipe.net.kind, len(facts.classes), recipe.data.channels, recipe.net.options)
    state = torch.load(run.best, map_location="cpu", weights_only=True)["state_dict"]
    weights = {key.removeprefix("net."): value for key, value in state.items()}
    net.load_state_dict({key: weights[key] for key in net.state_dict()})
    return deploy(net, recipe)


@dataclass(frozen=True)
class _Version:
    """A version folder in the making."""

    folder: Path
    run: RunFolder
    deployed: Deployed
    dataset: Any

    def write(
        self,
        name: str,
        number: int,
        sisters: Sequence[Evaluations],
        folds: Sequence[CrossValidation],
    ) -> None:
        manifest = self._manifest(name, number)
        evaluations = self._evaluate(manifest)
        metrics = (*_metrics(evaluations, sisters), *(found.metric() for found in folds[:1]))
        manifest = manifest.model_copy(update={"metrics": metrics})
        write_manifest(self.folder, manifest)
        caveats, keep = self.run.recipe().caveats, self.run.recipe().training.keep
        card = write_card(manifest, caveats, list(evaluations.values()), folds, keep)
        (self.folder / CARD_NAME).write_text(card)

    def _manifest(self, name: str, number: int) -> Manifest:
        recipe, facts = self.run.recipe(), self.run.facts()
        judge, spec, file = JUDGES[recipe.task], self.deployed.spec, self.folder / GRAPH_NAME
        sizes = outputs_at_sizes(self.deployed)
        inputs = judge.proof(self.dataset.splits["test"], spec)
        graph = write_graph(file, self.deployed, inputs[:2], len(facts.classes))
        check_sizes(file, sizes)
        return Manifest(
            name=name,
            version=number,
            task=recipe.task,
            description=recipe.description,
            preprocessing=spec,
            graphs=(graph,),
            labels=facts.classes,
            colors=judge.colors(self.dataset),
            units=self.dataset.units if isinstance(self.dataset, MeasuredSounds) else (),
            golden=Golden(file=self._golden(judge.golden(inputs, spec))),
            parity=check_parity(file, self.deployed, inputs, judge.batch_sizes),
            provenance=_provenance(self.run, recipe, facts),
            license=recipe.license,
        )

    def _golden(self, inputs: Inputs) -> FileRef:
        file = self.folder / GOLDEN_NAME
        name = self.deployed.input_name
        write_golden(file, {name: inputs}, pytorch_outputs(self.deployed, inputs))
        return file_ref(file)

    def _evaluate(self, manifest: Manifest) -> Evaluations:
        """Return the figures by split, after writing them into the run folder."""
        judge, found = JUDGES[manifest.task], {}
        name, splits = self.run.facts().dataset, self.dataset.splits
        for split in (split for split in JUDGED_SPLITS if split in splits):
            figures = judge.evaluate(self.folder, manifest, splits[split], name, split)
            found[split] = figures
        shift = judge.shifts(self.folder, manifest, splits["test"])
        if shift is not None:
            found["test"] = found["test"].model_copy(update={"shift": shift})
        for split, figures in found.items():
            folder = evaluation_folder(self.run, split)
            write_evaluation(folder, figures)
            judge.draw(self.folder, manifest, splits[split], folder)
        return found


def evaluation_folder(run: RunFolder, split: str) -> Path:
    """Return where a run keeps its figures on the split: those of the test split on top."""
    return run.path if split == "test" else run.path / split


def read_evaluations(run: RunFolder) -> Evaluations:
    """Return the figures that the run has, by split; raises OSError if it has none."""
    kind = JUDGES[run.recipe().task].evaluation
    files = {split: evaluation_folder(run, split) / EVALUATION_NAME for split in JUDGED_SPLITS}
    return {
        split: kind.model_validate_json(file.read_bytes())
        for split, file in files.items()
        if split == "test" or file.exists()
    }


def write_graph(file: Path, deployed: Deployed, inputs: Inputs, classes: int) -> Graph:
    """Write the ONNX file and return its entry in the manifest.

    inputs: on which every tap is proven.
    Raises: ExportError if a tap is not what its modules give.
    """
    model, scopes = to_onnx(deployed, deployed.tracing_inputs())
    taps = find_taps(model, scopes, deployed, torch.from_numpy(inputs))
    onnx.save(model, file)
    dtype = "uint8" if inputs.dtype == np.uint8 else "float32"
    return Graph(
        file=file_ref(file),
        opset=OPSET,
        inputs=(Tensor(name=deployed.input_name, dtype=dtype, shape=deployed.spec.input_shape),),
        outputs=deployed.outputs(classes),
        taps=taps,
    )


def _metrics(evaluations: Evaluations, sisters: Sequence[Evaluations]) -> tuple[Metric, ...]:
    """Return the main figure of every split, over this run and its sisters."""
    return tuple(
        main_metric([evaluation, *(s[split] for s in sisters if split in s)])
        for split, evaluation in evaluations.items()
    )


def _recipe_sha256(run: RunFolder) -> str:
    return hashlib.sha256(run.recipe_text().encode()).hexdigest()


def _provenance(run: RunFolder, recipe: Recipe, facts: RunFacts) -> Provenance:
    decoders = ("soundfile", "soxr") if isinstance(recipe, SoundRecipe) else ("pillow",)
    packages = ("torch", "lightning", "onnx", "onnxscript", "numpy", *decoders)
    return Provenance(
        recipe=recipe.name,
        recipe_sha256=_recipe_sha256(run),
        dataset=facts.dataset,
        seed=facts.seed,
        created=datetime.now(UTC).date().isoformat(),
        training_minutes=read_minutes(run.metrics),
        versions={"convscope": version("convscope"), "python": platform.python_version()}
        | {package: version(package) for package in packages},
    )
