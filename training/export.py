"""Writes a model version: graph, manifest, golden outputs and card, together or not at all."""

import hashlib
import platform
import re
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from service.contract.errors import SetupError
from service.contract.golden import GOLDEN_NAME, write_golden
from service.contract.manifest import (
    CARD_NAME,
    MODEL_NAME,
    FileRef,
    Golden,
    Graph,
    Manifest,
    Parity,
    Provenance,
    Tensor,
    write_manifest,
)
from service.device import ON_CPU
from service.runtime import open_session
from training.card import write_card
from training.confusion import write_evaluation
from training.data.pictures import DataSet, Pictures
from training.deployed import Deployed
from training.evaluate import Evaluation, accuracy_metric, evaluate_model
from training.nets.registry import build_net
from training.onnx_file import OPSET, to_onnx
from training.progress import read_minutes
from training.recipe import Recipe
from training.run_folder import RunFacts, RunFolder
from training.taps import ExportError, find_taps

GOLDEN_IMAGES = 8
PARITY_IMAGES = 1_000
PARITY_BATCHES = (1, 64)
LARGEST_PROBABILITY_DIFFERENCE = 1e-4
GRAPH_NAME = "model.onnx"


def export_run(
    run: RunFolder,
    dataset: DataSet,
    name: str,
    models_dir: Path,
    sisters: Sequence[Evaluation] = (),
) -> Path:
    """Export the run's best checkpoint as the next version of `name`; return its folder.

    The net is proven before anything is kept: every module's output against a forward
    hook, and probabilities on up to 1,000 test pictures, at batch 1 and 64. The run folder
    gets the figures on the test split.
    sisters: figures of other seeds of the same recipe, for mean and spread.
    Raises: ExportError if the graph is not the net, SetupError for an unfit name.
    """
    check_target(name, models_dir)
    if run.facts().data_digest != dataset.digest():
        raise SetupError(f"{run.path} was trained on other pictures: they cannot judge it")
    deployed = load_deployed(run)
    # made where no server looks, then moved: a version is whole or not there
    staging = Path(tempfile.mkdtemp(prefix=".export-", dir=models_dir))
    try:
        parent = models_dir / name
        number = next_version(parent)
        _write_version(staging, run, deployed, dataset, name, number, sisters)
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
    channels = recipe.data.preprocessing().channels
    net = build_net(recipe.net.kind, len(facts.classes), channels, recipe.net.options)
    state = torch.load(run.best, map_location="cpu", weights_only=True)["state_dict"]
    weights = {key.removeprefix("net."): value for key, value in state.items()}
    net.load_state_dict({key: weights[key] for key in net.state_dict()})
    return Deployed(net, recipe.data).eval()


def next_version(parent: Path) -> int:
    """Return the version number after the highest one in the model's folder."""
    found = parent.iterdir() if parent.is_dir() else ()
    return 1 + max((int(folder.name) for folder in found if folder.name.isdecimal()), default=0)


def _write_version(
    folder: Path,
    run: RunFolder,
    deployed: Deployed,
    dataset: DataSet,
    name: str,
    number: int,
    sisters: Sequence[Evaluation],
) -> None:
    recipe, facts = run.recipe(), run.facts()
    pictures = dataset.splits["test"]
    inputs = some(pictures, PARITY_IMAGES).model_inputs(recipe.data.preprocessing())
    graph, outputs = _write_graph(folder, deployed, inputs)
    golden = folder / GOLDEN_NAME
    few = slice(0, None, max(1, len(inputs) // GOLDEN_IMAGES))
    write_golden(
        golden,
        {"images": inputs[few][:GOLDEN_IMAGES]},
        {key: array[few][:GOLDEN_IMAGES] for key, array in outputs.items()},
    )
    manifest = Manifest(
        name=name,
        version=number,
        task="image-classification",
        description=recipe.description,
        preprocessing=recipe.data.preprocessing(),
        graphs=(graph,),
        labels=facts.classes,
        golden=Golden(file=_file_ref(golden)),
        parity=_check_parity(folder / GRAPH_NAME, inputs, outputs["probabilities"]),
        provenance=_provenance(run, recipe, facts),
        license=recipe.license,
    )
    evaluation = evaluate_model(folder, manifest, pictures, facts.dataset, "test")
    write_evaluation(run.path, evaluation)
    metric = accuracy_metric([evaluation, *sisters])
    manifest = manifest.model_copy(update={"metrics": (metric,)})
    write_manifest(folder, manifest)
    (folder / CARD_NAME).write_text(write_card(manifest, recipe.caveats, evaluation))


def some(pictures: Pictures, most: int) -> Pictures:
    """Return at most `most` of the pictures, spread evenly."""
    count = min(most, len(pictures))
    return pictures.subset(np.linspace(0, len(pictures) - 1, count).astype(np.int64))


def _write_graph(
    folder: Path, deployed: Deployed, inputs: NDArray[np.uint8]
) -> tuple[Graph, dict[str, NDArray[np.float32]]]:
    """Write the ONNX file; return its description and PyTorch's outputs for `inputs`."""
    images = torch.from_numpy(inputs)
    model, scopes = to_onnx(deployed, images[:2])
    taps = find_taps(model, scopes, deployed, images[:2])
    file = folder / GRAPH_NAME
    onnx.save(model, file)
    with torch.inference_mode():
        parts = [deployed(part) for part in images.split(64)]
    outputs = {
        key: torch.cat([part[i] for part in parts]).numpy()
        for i, key in enumerate(("probabilities", "logits"))
    }
    classes = outputs["logits"].shape[1]
    return (
        Graph(
            file=_file_ref(file),
            opset=OPSET,
            inputs=(Tensor(name="images", dtype="uint8", shape=(None, *inputs.shape[1:])),),
            outputs=tuple(
                Tensor(name=role, dtype="float32", shape=(None, classes), role=role)
                for role in ("probabilities", "logits")
            ),
            taps=taps,
        ),
        outputs,
    )


def _check_parity(graph: Path, inputs: NDArray[np.uint8], expected: NDArray[np.float32]) -> Parity:
    session = open_session(graph, str(graph), ON_CPU)
    same, worst = len(inputs), 0.0
    for batch in PARITY_BATCHES:
        parts = [
            session.run({"images": inputs[i : i + batch]})["probabilities"]
            for i in range(0, len(inputs), batch)
        ]
        ours = np.concatenate(parts)
        same = min(same, int((ours.argmax(1) == expected.argmax(1)).sum()))
        worst = max(worst, float(np.abs(ours - expected).max()))
    if same < len(inputs) or not worst <= LARGEST_PROBABILITY_DIFFERENCE:
        raise ExportError(
            f"ONNX Runtime chose another class than PyTorch on {len(inputs) - same} of "
            f"{len(inputs)} pictures; probabilities differ by up to {worst:.2g}"
        )
    return Parity(
        images=len(inputs),
        batch_sizes=PARITY_BATCHES,
        same_argmax=same,
        max_probability_difference=worst,
    )


def _provenance(run: RunFolder, recipe: Recipe, facts: RunFacts) -> Provenance:
    packages = ("torch", "lightning", "onnx", "onnxscript", "numpy", "pillow")
    return Provenance(
        recipe=recipe.name,
        recipe_sha256=hashlib.sha256(run.recipe_text().encode()).hexdigest(),
        dataset=facts.dataset,
        seed=facts.seed,
        created=datetime.now(UTC).date().isoformat(),
        training_minutes=read_minutes(run.metrics),
        versions={"convscope": version("convscope"), "python": platform.python_version()}
        | {package: version(package) for package in packages},
    )


def _file_ref(file: Path) -> FileRef:
    return FileRef(path=file.name, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
