from pathlib import Path

import numpy as np
import pytest

from service.settings import Settings
from tests.adopt.added import ZERO_ONE, added
from tests.adopt.graphs import SIDE, classifier, save
from tests.adopt.test_forms import expected
from tests.api.client import Client
from tests.pictures import flat


@pytest.mark.parametrize("batch", ["n", 1])
def test_added_model_has_every_route(tmp_path: Path, batch: object) -> None:
    """A server answers for it as for its own: classify, layers, maps of every tap."""
    model = classifier(batch=batch)
    added(save(tmp_path, model), tmp_path / "models", *ZERO_ONE)
    red = flat("red", "PNG", (SIDE, SIDE))
    with Client(Settings(models_dir=tmp_path / "models", device="cpu")) as client:
        shown = client.get("/v1/models/net").json()
        answer = client.post("/v1/models/net/classify", content=red).json()
        layers = client.get("/v1/models/net/layers").json()["layers"]
        maps = [
            client.post(f"/v1/models/net/feature-maps?layer={row['name']}", content=red)
            for row in layers
        ]

    assert shown["name"] == "net"
    numbers = np.zeros((1, 3, SIDE, SIDE), np.float32)
    numbers[:, 0] = 1
    (wanted,) = expected(model, numbers)
    assert answer["predictions"][0]["class_index"] == wanted.argmax()
    assert answer["predictions"][0]["probability"] == pytest.approx(wanted.max(), abs=1e-5)
    assert {found.status_code for found in maps} == {200}
    assert {found.headers["content-type"] for found in maps} == {"image/png"}


def test_graph_that_takes_two_at_once_answers_one(tmp_path: Path) -> None:
    """What is missing in a fixed batch is filled, for answers and for maps."""
    model = classifier(batch=2)
    # all its answers alike: nothing can be proven of other batches
    (weight,) = (tensor for tensor in model.graph.initializer if tensor.name == "fc.weight")
    weight.raw_data = bytes(len(weight.raw_data))
    added(save(tmp_path, model), tmp_path / "models", *ZERO_ONE)
    red = flat("red", "PNG", (SIDE, SIDE))
    with Client(Settings(models_dir=tmp_path / "models", device="cpu")) as client:
        shown = client.get("/v1/models/net").json()
        answer = client.post("/v1/models/net/classify", content=red).json()
        path = "/v1/models/net/feature-maps?layer=stem/Conv"
        maps = client.post(path, content=red, headers={"accept": "application/json"}).json()

    assert "[2," in str(shown).replace("(", "[")
    assert answer["predictions"][0]["probability"] == pytest.approx(0.2)
    assert maps["shape"] == [6, SIDE // 2, SIDE // 2]
