"""Writes a version of a model that needs no training: its recipe says all of its weights."""

import hashlib
import platform
import shutil
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from service.contract.golden import GOLDEN_NAME, write_golden
from service.contract.manifest import (
    CARD_NAME,
    Golden,
    Manifest,
    Provenance,
    write_manifest,
)
from service.contract.versions import file_ref, next_version
from training.card import write_card
from training.data.sound_splits import open_sounds
from training.data.sounds import Waveform
from training.deployed import Deployed, deploy
from training.evaluate import main_metric
from training.export import GRAPH_NAME, check_target, write_graph
from training.nets.registry import build_net
from training.parity import check_parity, pytorch_outputs
from training.recipe import HandSetRecipe
from training.silence_figures import evaluate_silence, made_recordings

PROVEN_WINDOWS = 20


def assemble(recipe: HandSetRecipe, text: str, data: str, name: str, models_dir: Path) -> Path:
    """Write the next version of `name` and return its folder; whole or not at all.

    data: folder of a data set of sounds, whose test split the model is measured on.
    Raises: ExportError if the graph is not the net, SetupError for unfit data or an unfit name.
    """
    check_target(name, models_dir)
    dataset = open_sounds(data)
    sounds = list(dataset.splits["test"].waveforms(recipe.data.sample_rate_hz))
    net = build_net(recipe.net.kind, len(recipe.labels), recipe.data.channels, recipe.net.options)
    parent = models_dir / name
    staging = Path(tempfile.mkdtemp(prefix=".export-", dir=models_dir))
    try:
        number = next_version(parent)
        manifest = _manifest(recipe, text, deploy(net, recipe), staging, (name, number), sounds)
        figures = evaluate_silence(staging, manifest, sounds, dataset.name)
        manifest = manifest.model_copy(update={"metrics": (main_metric([figures]),)})
        write_manifest(staging, manifest)
        (staging / CARD_NAME).write_text(write_card(manifest, recipe.caveats, [figures]))
        staging.chmod(0o755)
        parent.mkdir(exist_ok=True)
        return staging.rename(parent / str(number))
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def golden_waveform(samples: int, sample_rate_hz: int) -> Waveform:
    """Return (samples,): half a second of a tone every second, each softer than the last.

    Of 16 bit samples, so that it packs well.
    """
    time = np.arange(samples) / sample_rate_hz
    # 440 Hz would not repeat within a whole number of samples
    loudness = np.where(time % 1 < 0.5, 0.5 ** (1 + np.floor(time)), 0)
    tone = np.sin(2 * np.pi * 400 * time) * loudness
    return (np.rint(tone * 32767) / 32768).astype(np.float32)


def _manifest(
    recipe: HandSetRecipe,
    text: str,
    deployed: Deployed,
    folder: Path,
    name_and_version: tuple[str, int],
    sounds: list[Waveform],
) -> Manifest:
    spec = recipe.data.preprocessing()
    file, golden = folder / GRAPH_NAME, folder / GOLDEN_NAME
    few = golden_waveform(spec.window_samples, spec.sample_rate_hz)[None]
    graph = write_graph(file, deployed, few, len(recipe.labels))
    write_golden(golden, {deployed.input_name: few}, pytorch_outputs(deployed, few))
    speech = np.concatenate([waveform for waveform, _ in made_recordings(sounds, spec, 1)])
    count = min(PROVEN_WINDOWS, len(speech) // spec.window_samples)
    proof = speech[: count * spec.window_samples].reshape(count, -1) if count else few
    packages = ("torch", "onnx", "onnxscript", "numpy", "soundfile", "soxr")
    return Manifest(
        name=name_and_version[0],
        version=name_and_version[1],
        task=recipe.task,
        description=recipe.description,
        preprocessing=spec,
        graphs=(graph,),
        labels=recipe.labels,
        golden=Golden(file=file_ref(golden)),
        parity=check_parity(file, deployed, proof, (1, 4)),
        provenance=Provenance(
            recipe=recipe.name,
            recipe_sha256=hashlib.sha256(text.encode()).hexdigest(),
            dataset="none: filters set by hand",
            seed=0,
            created=datetime.now(UTC).date().isoformat(),
            versions={"convscope": version("convscope"), "python": platform.python_version()}
            | {package: version(package) for package in packages},
        ),
        license=recipe.license,
    )
