"""Which versions there are, and loading and unloading over the Open Inference Protocol."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.api.siblings import Siblings
from service.contract.errors import NotEverywhere
from service.settings import Settings
from tests.api.client import Client
from tests.api.oip.speaking import ADMIN, KEY, error_of
from tests.pictures import flat
from tests.tiny_models import write_model

INDEX = "/v2/repository/index"
CHANGES = ["/v2/repository/models/colors/load", "/v2/repository/models/colors/unload"]


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


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The same for tests after which everything is as it was."""
    root = tmp_path_factory.mktemp("models")
    for version in (1, 2):
        write_model(root, version=version)
    settings = Settings(models_dir=root, device="cpu", threads=1, admin_keys=ADMIN["x-api-key"])
    with Client(settings) as client:
        yield client


def post(client: Client, path: str, body: Any = None) -> httpx.Response:
    how = {} if body is None else {"json": body}
    return client.post(path, headers=ADMIN, **how)


def listed(client: Client, body: Any = None) -> list[tuple[str | None, ...]]:
    """Return name, version, state and reason of every entry, in their order."""
    answer = post(client, INDEX, body)
    assert answer.status_code == 200, answer.text
    keys = ("name", "version", "state", "reason")
    assert all(set(entry) <= set(keys) for entry in answer.json())
    return [tuple(entry.get(key) for key in keys) for entry in answer.json()]


BOTH = [("colors", "1", "READY", None), ("colors", "2", "READY", None)]


@pytest.mark.parametrize("body", [None, {}, {"ready": False}, {"ready": True}])
def test_ready_versions_are_listed(unchanged: Client, body: Any) -> None:
    """An empty body, none, and either filter."""
    assert listed(unchanged, body) == BOTH


def test_every_version_has_its_state_and_reason(client: Client, root: Path) -> None:
    """Refused ones, folders that are no version, unloaded ones; `ready` leaves them out."""
    (write_model(root, "bad") / "CARD.md").unlink()
    (root / "colors" / "old").mkdir()
    assert post(client, "/v1/models:rescan").status_code == 200
    assert post(client, "/v1/models/colors/unload?version=2").status_code == 200

    bad, ready, *others = listed(client)
    assert bad == ("bad", "1", "UNAVAILABLE", "bad/1/CARD.md: is missing")
    assert ready == ("colors", "1", "READY", None)
    (nameless,) = [entry for entry in others if entry[1] is None]
    assert (nameless[0], nameless[2]) == ("colors", "UNAVAILABLE")
    assert str(nameless[3]).startswith("colors/old")
    assert ("colors", "2", "UNAVAILABLE", "was unloaded by hand") in others
    assert len(others) == 2
    assert listed(client, {"ready": True}) == BOTH[:1]


def test_version_whose_newer_content_was_refused_is_ready(client: Client, root: Path) -> None:
    """One entry, not two: it answers, with what it was loaded from."""
    (root / "colors" / "2" / "CARD.md").unlink()
    answer = post(client, CHANGES[0])
    assert answer.status_code == 200  # version 1 is as it was
    reason = "newer content was refused: colors/2/CARD.md: is missing"
    assert listed(client) == [BOTH[0], ("colors", "2", "READY", reason)]


def test_model_is_unloaded_and_loaded(client: Client) -> None:
    """All versions go and come, as on the routes below /v1."""
    answer = post(client, CHANGES[1], {"parameters": {"unload_dependents": True}})
    assert (answer.status_code, answer.json()) == (200, {"name": "colors", "unload": True})
    assert {entry[2:] for entry in listed(client)} == {("UNAVAILABLE", "was unloaded by hand")}
    for rest in ("", "/ready", "/config", "/stats", "/versions/2"):
        told = client.get(f"/v2/models/colors{rest}")
        assert told.status_code == 503
        assert error_of(told) == "Version 2 of 'colors' was unloaded by hand."
    assert client.get("/v2/models").json() == {"models": ["colors"]}
    assert client.get("/v2/models/stats").json() == {"model_stats": []}
    answer = post(client, CHANGES[0])
    assert (answer.status_code, answer.json()) == (200, {"name": "colors", "load": True})
    assert listed(client) == BOTH
    assert client.post("/v1/models/colors/classify", content=flat("red")).status_code == 200


@pytest.mark.parametrize("verb", ["load", "unload"])
def test_unknown_model_is_404(unchanged: Client, verb: str) -> None:
    """The nearest name is told."""
    answer = post(unchanged, f"/v2/repository/models/color/{verb}")
    assert answer.status_code == 404
    assert error_of(answer) == "There is no model 'color'. Did you mean 'colors'?"


def test_model_that_cannot_be_loaded_is_409(client: Client, root: Path) -> None:
    """Every version is broken now."""
    assert post(client, CHANGES[1]).status_code == 200
    for version in ("1", "2"):
        (root / "colors" / version / "CARD.md").unlink()
    answer = post(client, CHANGES[0])
    assert answer.status_code == 409
    assert error_of(answer) == "colors/1/CARD.md: is missing; colors/2/CARD.md: is missing"


def test_repository_that_went_away_is_told(client: Client, root: Path) -> None:
    """503, and everything goes on being served."""
    shutil.rmtree(root)
    answer = post(client, CHANGES[0])
    assert answer.status_code == 503
    assert str(root) in error_of(answer)
    assert listed(client) == BOTH


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (INDEX, b"{", 400),
        (INDEX, b"[]", 400),
        (INDEX, b"\xff", 400),
        (INDEX, b'{"ready": 1}', 400),
        (INDEX, b'{"ready": "' + b"x" * 2**20 + b'"}', 413),
        (CHANGES[0], b"no", 400),
        (CHANGES[0], b'{"parameters": []}', 400),
        (CHANGES[0], b'{"parameters": {"config": "{}"}}', 422),
        (CHANGES[0], b'{"parameters": {"file:1/model.onnx": "AAAA"}}', 422),
        (CHANGES[1], b'{"parameters": null}', 400),
        (CHANGES[1], b'{"parameters": {"unload_dependents": 1}}', 400),
        (CHANGES[1], b'{"parameters": {"now": true}}', 422),
    ],
)
def test_wrong_body_is_refused(unchanged: Client, path: str, body: bytes, status: int) -> None:
    """Nothing changes, and the sentence tells what is wrong."""
    answer = unchanged.post(path, content=body, headers=ADMIN)
    assert answer.status_code == status, answer.text
    assert len(error_of(answer)) > 20
    assert listed(unchanged) == BOTH


def test_overrides_are_refused_plainly(unchanged: Client) -> None:
    """The sentence names them."""
    answer = post(unchanged, CHANGES[0], {"parameters": {"config": "{}", "file:1/model.onnx": ""}})
    assert error_of(answer) == (
        "Loading takes no parameters (config, file:1/model.onnx): a model is loaded as it lies in "
        "the repository, with its own manifest."
    )


@pytest.mark.parametrize("path", CHANGES)
def test_without_an_admin_key_nothing_changes(unchanged: Client, path: str) -> None:
    """401 without a key, before the body is looked at."""
    answer = unchanged.post(path, content=b"{")
    assert answer.status_code == 401
    assert error_of(answer).startswith("This needs a key")
    assert listed(unchanged) == BOTH


@pytest.mark.parametrize("path", CHANGES)
def test_ordinary_key_changes_nothing(root: Path, path: str) -> None:
    """403; where there is no admin key, no key opens them."""
    keys = {"api_keys": KEY["x-api-key"]}
    for more in ({"admin_keys": ADMIN["x-api-key"]}, {}):
        settings = Settings(models_dir=root, device="cpu", threads=1, **keys, **more)  # type: ignore[arg-type]
        with Client(settings) as client:
            answer = client.post(path, headers=KEY)
            assert answer.status_code == 403
            assert ("admin key" in error_of(answer)) is True


def test_other_process_that_cannot_is_told_in_its_own_words(tmp_path: Path) -> None:
    """Its answer has the protocol's shape, not that of a problem."""
    siblings = Siblings(0, 2, tmp_path)
    scope: dict[str, Any] = {
        "method": "POST",
        "raw_path": b"/v2/repository/models/colors/load",
        "query_string": b"",
        "headers": [],
        "server": ("127.0.0.1", 8000),
        "state": {"request_id": "1"},
    }

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        assert asked.startswith(b"POST /v2/repository/models/colors/load?")
        body = b'{"error":"colors/1/CARD.md: is missing"}'
        writer.write(b"HTTP/1.1 409 Conflict\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    async def ask() -> None:
        other = await asyncio.start_unix_server(refuse, tmp_path / "1.sock")
        async with other, siblings.in_step(scope):
            pass

    with pytest.raises(NotEverywhere) as caught:
        asyncio.run(ask())
    assert str(caught.value) == (
        "This is done in process 0, but process 1 says: colors/1/CARD.md: is missing"
    )
