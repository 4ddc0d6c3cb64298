"""What the interface's description says of inference is so."""

import json
from pathlib import Path

import pytest

from service.settings import Settings
from tests.api.client import Client

MODELS = Path(__file__).parents[3] / "models"
PATHS = ("/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer")


@pytest.mark.parametrize("path", PATHS)
def test_example_of_the_description_is_answered_so(path: str) -> None:
    """The very numbers, but for what a processor rounds otherwise."""
    with Client(Settings(models_dir=MODELS, device="cpu", default_model="xo")) as client:
        described = client.get("/openapi.json").json()["paths"][path]["post"]
        asked = described["requestBody"]["content"]["application/json"]["example"]
        wanted = described["responses"]["200"]["content"]["application/json"]["example"]
        answer = client.post(path.format(name="xo", version=1), json=asked).json()
    # taken out, so that all the rest can be compared as it is
    told, shown = ([text.pop().split(":") for text in _texts(found)] for found in (answer, wanted))
    assert [[float(value), *rest] for value, *rest in told] == [
        [pytest.approx(float(value), abs=1e-5), *rest] for value, *rest in shown
    ]
    assert answer == wanted
    assert "$defs" not in json.dumps(described)


def _texts(answer: dict) -> list[list[str]]:
    return [output["data"] for output in answer["outputs"]]
