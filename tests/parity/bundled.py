"""The bundled models, and the PyTorch nets that they came from."""

import os
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from service.contract.manifest import Manifest, read_manifest
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


def golden_pictures(manifest: Manifest) -> np.ndarray:
    """Return the golden model inputs (N, H, W, C) uint8, to be posted as pictures."""
    with np.load(folder_of(manifest) / manifest.golden.file.path) as archive:
        return archive["input.images"]
