from pathlib import Path

import pytest

from service.contract.manifest import Manifest, Tensor, read_manifest
from service.tasks.tensor_specs import TensorSpec, tensor_specs

MODELS = Path(__file__).parents[2] / "models"


def manifest(name: str) -> Manifest:
    return read_manifest(MODELS / name / "1")


def test_classifier_of_pictures() -> None:
    """A batch of uint8 pictures (N, H, W, C) gives a row for each, in the manifest's order."""
    inputs, outputs = tensor_specs(manifest("cifar10"))

    assert inputs == (TensorSpec("images", "UINT8", (-1, 32, 32, 3)),)
    assert outputs == (
        TensorSpec("probabilities", "FP32", (-1, 10)),
        TensorSpec("logits", "FP32", (-1, 10)),
    )


def test_segmenter_of_any_size() -> None:
    """Height and width that follow the picture's are -1, and the channels keep their number."""
    inputs, outputs = tensor_specs(manifest("street"))

    assert inputs == (TensorSpec("images", "UINT8", (-1, -1, -1, 3)),)
    assert outputs == (
        TensorSpec("mask", "UINT8", (-1, -1, -1)),
        TensorSpec("probabilities", "FP32", (-1, 11, -1, -1)),
    )


def test_sounds() -> None:
    """Windows of a waveform are float32."""
    inputs, _ = tensor_specs(manifest("spoken_digits"))

    assert inputs == (TensorSpec("waveform", "FP32", (-1, 6000)),)


@pytest.mark.parametrize("batch", [None, 1, 4])
def test_batch_of_a_fixed_size_is_open_too(batch: int | None) -> None:
    """The server cuts and fills batches for such a graph, so that any number of rows may come."""
    fixed = manifest("cifar10")
    inputs = (Tensor(name="images", dtype="uint8", shape=(batch, 32, 32, 3)),)
    graph = fixed.graph.model_copy(update={"inputs": inputs})

    (told,), _ = tensor_specs(fixed.model_copy(update={"graphs": (graph,)}))

    assert told.shape == (-1, 32, 32, 3)
