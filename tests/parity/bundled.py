"""The bundled models, and the PyTorch nets that they came from."""

import os
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from service.codecs.image import decode_image, encode_png
from service.codecs.sound import SoundLimits, decode_sound
from service.contract.manifest import Manifest, read_manifest
from service.contract.preprocess import preprocess_image
from service.contract.specs import ImagePreprocessing
from service.contract.windows import windows_of
from tests.sounds import stored
from training.data.layouts import LIMITS
from training.deployed import Deployed, deploy
from training.nets.registry import build_net
from training.recipe import load_recipe

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "models"
VERSIONS = sorted(MODELS.glob("*/*/manifest.json"))
NAMES = [file.parent.parent.name for file in VERSIONS]
# Real data sets are not part of the project; where they lie is told by this variable.
DATA = Path(os.environ.get("CONVSCOPE_TEST_DATA", ROOT.parent / "shared" / "data"))


def manifest_of(name: str) -> Manifest:
    return read_manifest(next(f.parent for f in VERSIONS if f.parent.parent.name == name))


def folder_of(manifest: Manifest) -> Path:
    return MODELS / manifest.name / str(manifest.version)


def rebuild(manifest: Manifest) -> Deployed:
    """Return the PyTorch net of a bundled model, its weights read back from the ONNX file."""
    recipe, _ = load_recipe(manifest.provenance.recipe)
    net = build_net(recipe.net.kind, len(manifest.labels), recipe.data.channels, recipe.net.options)
    model = onnx.load(folder_of(manifest) / manifest.graph.file.path)
    weights = {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in model.graph.initializer
    }
    counters = {key for key in net.state_dict() if key.endswith("num_batches_tracked")}
    wanted = net.state_dict().keys() - counters
    missing, _ = net.load_state_dict({key: weights[key] for key in wanted}, strict=False)
    assert set(missing) <= counters
    return deploy(net, recipe)


def golden_inputs(manifest: Manifest) -> np.ndarray:
    """Return the golden model inputs: (N, H, W, C) uint8 or (N, window_samples) float32."""
    (tensor,) = manifest.graph.inputs
    with np.load(folder_of(manifest) / manifest.golden.file.path) as archive:
        return archive[f"input.{tensor.name}"]


def golden_files(manifest: Manifest) -> list[bytes]:
    """Return PNGs or WAVs that hold the golden model inputs without a loss."""
    inputs = golden_inputs(manifest)
    if isinstance(manifest.preprocessing, ImagePreprocessing):
        return [encode_png(picture) for picture in inputs]
    rate_hz = manifest.preprocessing.sample_rate_hz
    return [stored(waveform, rate_hz) for waveform in inputs]


def model_input(manifest: Manifest, file: bytes) -> np.ndarray:
    """Return the one model input that the file becomes when it is served."""
    spec = manifest.preprocessing
    if isinstance(spec, ImagePreprocessing):
        return preprocess_image(decode_image(file, LIMITS), spec).copy()
    _, (window,) = windows_of(decode_sound(file, spec.sample_rate_hz, SoundLimits()), spec)
    return window.copy()
