"""Who serves, which models there are, and what they take and give."""

import json
from collections.abc import Iterator

import pytest

from service.settings import Settings
from service.version import VERSION
from tests.api.client import Client
from tests.api.oip.speaking import error_of, write_models


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    root = tmp_path_factory.mktemp("models")
    write_models(root)
    with Client(Settings(models_dir=root, device="cpu", threads=1)) as client:
        yield client


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_server_names_itself_and_its_extensions(client: Client, path: str) -> None:
    """With and without a slash at the end."""
    assert client.get(path).json() == {
        "name": "convscope",
        "version": VERSION,
        "extensions": [
            "binary_tensor_data",
            "classification",
            "model_configuration",
            "model_repository",
            "statistics",
        ],
    }


def test_models_are_listed(client: Client) -> None:
    """As KServe lists them: by name alone."""
    assert client.get("/v2/models").json() == {
        "models": ["colors", "loudness", "meter", "paint", "spare"]
    }


def test_classifier_is_described(client: Client) -> None:
    """Its tensors are those of the file that is served; versions are text, lowest first."""
    told = client.get("/v2/models/colors").json()
    parameters = told.pop("parameters")

    assert told == {
        "name": "colors",
        "versions": ["1", "2"],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": "images", "datatype": "UINT8", "shape": [-1, 8, 8, 3]}],
        "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}],
    }
    assert set(parameters) == {"task", "labels", "preprocessing", "execution_provider"}
    assert parameters["task"] == "image-classification"
    assert json.loads(parameters["labels"]) == ["red", "green", "blue"]
    assert parameters["execution_provider"] == "CPUExecutionProvider"
    version = client.get("/v1/models/colors").json()["versions"][0]
    assert json.loads(parameters["preprocessing"]) == version["preprocessing"]


def test_axes_that_follow_the_picture_are_open(client: Client) -> None:
    """A segmenter of any size has -1 three times."""
    told = client.get("/v2/models/paint").json()
    assert told["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, -1, -1, 3]}]
    assert told["outputs"] == [
        {"name": "mask", "datatype": "UINT8", "shape": [-1, -1, -1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3, -1, -1]},
    ]


def test_units_are_told_where_something_is_measured(client: Client) -> None:
    """In the order of the labels."""
    parameters = client.get("/v2/models/meter").json()["parameters"]
    assert json.loads(parameters["labels"]) == ["peak", "mean"]
    assert json.loads(parameters["units"]) == ["%", "‰"]


def test_parameters_are_text(client: Client) -> None:
    """Clients with types know no other parameters than text, numbers and booleans."""
    for name in client.get("/v2/models").json()["models"]:
        parameters = client.get(f"/v2/models/{name}").json()["parameters"]
        assert all(isinstance(value, str) for value in parameters.values())


def test_version_can_be_asked_for(client: Client) -> None:
    """The answer is about it, and lists all that are ready."""
    assert client.get("/v2/models/colors/versions/1").json()["versions"] == ["1", "2"]
    ready = client.get("/v2/models/colors/versions/1/ready")
    assert (ready.status_code, ready.json()) == (200, {"name": "colors", "ready": True})


@pytest.mark.parametrize("rest", ["", "/ready", "/config", "/stats"])
@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("color", "There is no model 'color'. Did you mean 'colors'?"),
        ("colors/versions/3", "There is no version '3'."),
        ("colors/versions/latest", "There is no version 'latest'."),
        ("colors/versions/01", "There is no version '01'. Did you mean '1'?"),
        ("color/versions/latest", "There is no model 'color'. Did you mean 'colors'?"),
    ],
)
def test_what_is_not_there_is_404(client: Client, path: str, rest: str, sentence: str) -> None:
    """In every question about a model, as one sentence."""
    answer = client.get(f"/v2/models/{path}{rest}")
    assert (answer.status_code, error_of(answer)) == (404, sentence)
