"""Changing what is served, over HTTP."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.settings import Settings
from tests.api.client import Client
from tests.pictures import flat
from tests.tiny_models import write_model

ADMIN = {"x-api-key": "admin-key-for-tests"}
ROUTES = ["/v1/models:rescan", "/v1/models/colors/load", "/v1/models/colors/unload"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_model(tmp_path, version=1)
    write_model(tmp_path, version=2)
    return tmp_path


@pytest.fixture
def client(root: Path) -> Iterator[Client]:
    settings = Settings(models_dir=root, device="cpu", threads=1, admin_keys=ADMIN["x-api-key"])
    with Client(settings) as client:
        yield client


def post(client: Client, path: str) -> httpx.Response:
    return client.post(path, headers=ADMIN)


def states(answer: httpx.Response) -> dict[str, dict[int, str]]:
    """Return the state of every version of the models in the answer."""
    return {
        model["name"]: {version["version"]: version["state"] for version in model["versions"]}
        for model in answer.json()["models"]
    }


def changes(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return {name: value for name, value in answer.json().items() if name != "models" and value}


def classify(client: Client, query: str = "") -> httpx.Response:
    return client.post(f"/v1/models/colors/classify{query}", content=flat("red"))


@pytest.mark.parametrize("path", ROUTES)
def test_without_an_admin_key_nothing_changes(client: Client, path: str) -> None:
    """401 without a key, and what was served is."""
    before = client.get("/v1/models").json()
    assert client.post(path).status_code == 401
    assert client.get("/v1/models").json() == before


@pytest.mark.parametrize("path", ROUTES)
def test_admin_routes_are_off_by_default(root: Path, path: str) -> None:
    """Where no admin key is set, no key opens them."""
    with Client(Settings(models_dir=root, device="cpu", threads=1)) as client:
        assert post(client, path).status_code == 403


def test_rescan_tells_what_happened_and_how_things_are(client: Client, root: Path) -> None:
    """New, refused and gone versions, and every model as it is now."""
    write_model(root, "other")
    (write_model(root, version=3) / "CARD.md").unlink()
    shutil.rmtree(root / "colors" / "1")
    answer = post(client, "/v1/models:rescan")
    assert changes(answer) == {
        "loaded": ["other/1"],
        "unloaded": ["colors/1"],
        "refused": ["colors/3"],
    }
    assert states(answer) == {"colors": {2: "ready", 3: "refused"}, "other": {1: "ready"}}
    assert answer.json()["models"] == client.get("/v1/models").json()["models"]


def test_unloaded_model_answers_503_until_it_is_loaded(client: Client) -> None:
    """The detail says that somebody did it, and the server stays ready."""
    answer = post(client, "/v1/models/colors/unload")
    assert changes(answer) == {"unloaded": ["colors/1", "colors/2"]}
    assert states(answer) == {"colors": {1: "unloaded", 2: "unloaded"}}
    problem = classify(client)
    assert problem.status_code == 503
    assert problem.json()["type"] == "urn:convscope:problem:model-not-ready"
    assert problem.json()["detail"] == "Version 2 of 'colors' was unloaded by hand."
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert {model["state"] for model in ready.json()["models"]} == {"unloaded"}
    assert changes(post(client, "/v1/models/colors/load")) == {"loaded": ["colors/1", "colors/2"]}
    assert classify(client).status_code == 200


def test_one_version_can_be_unloaded_and_loaded(client: Client) -> None:
    """The other goes on answering."""
    assert changes(post(client, "/v1/models/colors/unload?version=2")) == {"unloaded": ["colors/2"]}
    assert classify(client).json()["model"] == {"name": "colors", "version": 1}
    assert classify(client, "?version=2").status_code == 503
    assert changes(post(client, "/v1/models/colors/load?version=2")) == {"loaded": ["colors/2"]}
    assert classify(client).json()["model"] == {"name": "colors", "version": 2}


def test_broken_content_is_refused_while_the_old_answers(client: Client, root: Path) -> None:
    """409 with the reason; both are listed, and the server stays ready."""
    (root / "colors" / "2" / "CARD.md").unlink()
    answer = post(client, "/v1/models/colors/load?version=2")
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:convscope:problem:cannot-load"
    assert answer.json()["detail"] == "colors/2/CARD.md: is missing"
    assert classify(client).json()["model"]["version"] == 2
    versions = client.get("/v1/models/colors").json()["versions"]
    assert [(version["version"], version["state"]) for version in versions] == [
        (1, "ready"),
        (2, "ready"),
        (2, "refused"),
    ]
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("path", ["/v1/models/colours/{}", "/v1/models/colors/{}?version=9"])
@pytest.mark.parametrize("verb", ["load", "unload"])
def test_what_is_not_there_is_404(client: Client, path: str, verb: str) -> None:
    """Unknown names and versions are told as everywhere."""
    assert post(client, path.format(verb)).status_code == 404


def test_repository_that_went_away_is_told(client: Client, root: Path) -> None:
    """503 with the folder's name, and everything goes on being served."""
    shutil.rmtree(root)
    answer = post(client, "/v1/models:rescan")
    assert answer.status_code == 503
    assert str(root) in answer.json()["detail"]
    assert classify(client).status_code == 200


def test_version_that_the_policy_does_not_want_is_told(root: Path) -> None:
    """503 for who asks it, 409 for who wants it loaded, and a line in the list of versions."""
    settings = Settings(
        models_dir=root,
        device="cpu",
        threads=1,
        policy="latest",
        admin_keys=ADMIN["x-api-key"],
    )
    with Client(settings) as client:
        problem = classify(client, "?version=1")
        assert problem.status_code == 503
        assert "is not wanted by the policy 'latest'" in problem.json()["detail"]
        assert post(client, "/v1/models/colors/load?version=1").status_code == 409
        assert client.get("/v1/models/colors").json()["versions"][1] == {
            "version": 1,
            "state": "unloaded",
            "reason": "is not wanted by the policy 'latest'",
        }
        assert client.get("/readyz").status_code == 200
