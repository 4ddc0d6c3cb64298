"""How a model is run, in the shape of Triton's model configuration."""

from pathlib import Path
from typing import Any

import pytest

from service.settings import Settings
from tests.api.client import Client
from tests.tiny_models import write_model, write_segmenter


def config(root: Path, name: str = "colors", **settings: Any) -> Any:
    """Return what a server with those settings tells of the model, and of the version it means."""
    with Client(Settings(models_dir=root, device="cpu", **{"threads": 1, **settings})) as client:
        told = client.get(f"/v2/models/{name}/config").json()
        version = client.get(f"/v2/models/{name}").json()["versions"][-1]
        assert client.get(f"/v2/models/{name}/versions/{version}/config").json() == told
        return told


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    write_model(root, version=1)
    write_model(root, version=2)
    write_segmenter(root)
    return root


def test_configuration_is_that_of_the_running_server(root: Path) -> None:
    """Batches, queue, time and runners are the settings'; dims are without the batch."""
    told = config(
        root,
        max_batch_size=7,
        max_queue=5,
        max_queue_delay_ms=1.5,
        request_timeout_ms=2000,
        threads=2,
    )
    parameters = told.pop("parameters")

    assert told == {
        "name": "colors",
        "platform": "onnxruntime_onnx",
        "backend": "onnxruntime",
        "default_model_filename": "model.onnx",
        "version_policy": {"all": {}},
        "max_batch_size": 7,
        "input": [{"name": "images", "data_type": "TYPE_UINT8", "dims": [8, 8, 3]}],
        "output": [{"name": "probabilities", "data_type": "TYPE_FP32", "dims": [3]}],
        "dynamic_batching": {
            "max_queue_delay_microseconds": 1500,
            "preserve_ordering": False,
            "default_queue_policy": {
                "timeout_action": "REJECT",
                "default_timeout_microseconds": 2_000_000,
                "allow_timeout_override": True,
                "max_queue_size": 5,
            },
        },
        "instance_group": [{"name": "colors", "kind": "KIND_CPU", "count": 2}],
    }
    assert parameters["labels"] == {"string_value": '["red","green","blue"]'}
    assert parameters["execution_provider"] == {"string_value": "CPUExecutionProvider"}


def test_large_maps_are_run_one_by_one(root: Path) -> None:
    """A segmenter on the CPU says so, whatever the setting is for the others."""
    told = config(root, "paint", max_batch_size=7)
    assert told["max_batch_size"] == 1
    assert told["input"] == [{"name": "images", "data_type": "TYPE_UINT8", "dims": [-1, -1, 3]}]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"policy": "all"}, {"all": {}}),
        ({"policy": "latest"}, {"latest": {"num_versions": 1}}),
        ({"policy": "pinned", "pins": "colors=1"}, {"specific": {"versions": [1]}}),
        ({"policy": "pinned", "pins": "paint=1"}, {"latest": {"num_versions": 1}}),
    ],
)
def test_policy_is_told_as_it_is_for_the_model(
    root: Path, settings: dict[str, str], expected: dict[str, Any]
) -> None:
    """Under `pinned`, models without a pin serve the highest version."""
    assert config(root, **settings)["version_policy"] == expected
