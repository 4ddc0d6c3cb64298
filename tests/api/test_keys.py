import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Depends

from service.api.keys import read_keys, require_admin
from service.contract.errors import SetupError
from service.main import create_app
from service.settings import Settings
from tests.api.client import Client
from tests.pictures import flat

ORDINARY, ROTATED, ADMIN = "ordinary-key-0001", "ordinary-key-0002", "admin-key-#-00001"
CLASSIFY = "/v1/models/colors/classify"


def settings(repository: Path, **more: Any) -> Settings:
    return Settings(models_dir=repository, device="cpu", threads=1, **more)


def with_admin_route(client: Client) -> Client:
    @client.app.post("/v1/test:rescan", dependencies=[Depends(require_admin)])
    async def rescan() -> str:
        return "done"

    return client


@pytest.fixture(scope="module")
def locked(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server with two ordinary keys and an admin key, by file and by list."""
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(f"# the team\n\n  {ORDINARY}  # until May\n{ROTATED}\n")
    chosen = settings(repository, api_keys_file=file, admin_keys=f"{ADMIN}, other-admin-key-1")
    with with_admin_route(Client(chosen)) as client:
        yield client


@pytest.fixture(scope="module")
def only_admin(repository: Path) -> Iterator[Client]:
    with with_admin_route(Client(settings(repository, admin_keys=ADMIN))) as client:
        yield client


def bearer(key: str | bytes) -> dict[str, str | bytes]:
    scheme = b"Bearer " if isinstance(key, bytes) else "Bearer "
    return {"authorization": scheme + key}  # type: ignore[operator]


GOOD: list[dict[str, str | bytes]] = [
    bearer(ORDINARY),
    bearer(ROTATED),
    bearer(ADMIN),
    {"authorization": f"bearer   {ORDINARY}"},
    {"x-api-key": ROTATED},
    {"X-API-Key": ADMIN},
    {"authorization": "Basic dXNlcjpwYXNz", "x-api-key": ORDINARY},
]
BAD: list[dict[str, str | bytes]] = [
    {},
    bearer(""),
    bearer("wrong"),
    bearer(ORDINARY[:-1]),
    bearer(ORDINARY + "x"),
    bearer("ключ".encode()),
    bearer(b"\xff\xfe\x80"),
    {"authorization": ORDINARY},
    {"authorization": f"Basic {ORDINARY}"},
    {"authorization": b"\xc3\x28"},
    {"x-api-key": ""},
    {"x-api-key": b"\xff" * 100},
    {"x-api-key": "k" * 10_000},
    {"x-api-key": f"{ORDINARY},{ROTATED}"},
]


@pytest.mark.parametrize("headers", GOOD)
def test_any_valid_key_opens_the_routes(locked: Client, headers: dict[str, str | bytes]) -> None:
    """In either header; several keys are valid at once; an admin's opens what others do."""
    assert locked.get("/v1/models", headers=headers).status_code == 200
    assert locked.post(CLASSIFY, content=flat("red"), headers=headers).status_code == 200


@pytest.mark.parametrize("headers", BAD)
def test_without_a_valid_key_nothing_is_told(
    locked: Client, headers: dict[str, str | bytes]
) -> None:
    """401, the same for a missing, a malformed and a wrong key."""
    answer = locked.get("/v1/models", headers=headers)
    problem = answer.json()
    assert answer.status_code == problem["status"] == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == "urn:convscope:problem:unauthorized"
    assert problem["request_id"] == answer.headers["x-request-id"]
    other = locked.get("/v1/models").json()
    assert problem | {"request_id": ""} == other | {"request_id": ""}


@pytest.mark.parametrize(
    "path", ["/", "/v1/models", "/openapi.json", "/metrics", "/nothing", "/livez/", "/readyz/x"]
)
def test_every_route_but_two_needs_a_key(locked: Client, path: str) -> None:
    """Nobody without a key learns even which routes there are."""
    assert locked.get(path).status_code == 401
    assert locked.get(path, headers=bearer(ORDINARY)).status_code != 401


def test_orchestrators_need_no_key(locked: Client) -> None:
    """livez and readyz answer anybody."""
    assert locked.get("/livez").status_code == 200
    assert locked.get("/readyz").status_code == 503  # a model of this repository is refused


def test_without_ordinary_keys_the_routes_are_open(only_admin: Client) -> None:
    """An admin key alone locks only what changes things."""
    assert only_admin.get("/v1/models").status_code == 200
    assert only_admin.post("/v1/test:rescan").status_code == 401


def admin_answer(client: Client, key: str | None) -> httpx.Response:
    return client.post("/v1/test:rescan", headers={} if key is None else bearer(key))


def test_admin_key_opens_admin_routes(locked: Client, only_admin: Client) -> None:
    """With or without ordinary keys beside it."""
    assert admin_answer(locked, ADMIN).json() == "done"
    assert admin_answer(locked, "other-admin-key-1").json() == "done"
    assert admin_answer(only_admin, ADMIN).json() == "done"


@pytest.mark.parametrize("key", [None, "wrong-wrong-wrong"])
def test_admin_route_without_a_key_is_401(
    locked: Client, only_admin: Client, key: str | None
) -> None:
    """Whether the routes of everybody are locked or not."""
    for client in (locked, only_admin):
        answer = admin_answer(client, key)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


def test_ordinary_key_opens_no_admin_route(locked: Client) -> None:
    """Who is known but may not is told so: 403."""
    answer = admin_answer(locked, ORDINARY)
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:convscope:problem:forbidden"
    assert "admin key" in answer.json()["detail"]


def test_admin_routes_are_off_without_an_admin_key(repository: Path) -> None:
    """403, and how to turn them on."""
    with with_admin_route(Client(settings(repository))) as client:
        answer = admin_answer(client, ADMIN)
    assert answer.status_code == 403
    assert "CONVSCOPE_ADMIN_KEYS" in answer.json()["detail"]


def test_keys_never_show(
    repository: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in the log of a request nor where the settings are printed."""
    monkeypatch.setenv("CONVSCOPE_API_KEYS", ORDINARY)
    chosen = settings(repository, log_level="debug")
    with caplog.at_level(logging.DEBUG), Client(chosen) as client:
        client.get("/v1/models", headers=bearer(ORDINARY))
        client.get("/v1/models", headers=bearer("wrong-wrong-wrong"))
    assert "/v1/models" in caplog.text
    for text in (caplog.text, repr(chosen), str(chosen), chosen.model_dump_json()):
        assert ORDINARY not in text
        assert "wrong-wrong-wrong" not in text


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no key in"),
        (b"# nothing\n \n#\t\n", "no key in"),
        (f"{ORDINARY}\nshort\n".encode(), "Key 2 in"),
        (f"{ORDINARY} {ROTATED}\n".encode(), "ASCII without spaces"),
        ("ein-schlüssel-der-lang-ist".encode(), "ASCII without spaces"),
        (b"\xff\xfe\x00", "is not text"),
    ],
)
def test_unfit_file_of_keys_is_told_without_the_key(
    tmp_path: Path, content: bytes, told: str
) -> None:
    """The operator learns where the mistake is, and the log does not learn a key."""
    file = tmp_path / "keys"
    file.write_bytes(content)
    with pytest.raises(SetupError, match=told) as raised:
        read_keys(file, None, "CONVSCOPE_API_KEYS")
    assert str(file) in str(raised.value)
    assert "short" not in str(raised.value)
    assert ORDINARY not in str(raised.value)


@pytest.mark.parametrize("listed", ["", " , ", "short", f"{ORDINARY},short"])
def test_unfit_list_of_keys_stops_the_start(repository: Path, listed: str) -> None:
    """An empty variable is a mistake: it must not open what somebody meant to lock."""
    with pytest.raises(SetupError, match="CONVSCOPE_API_KEYS"):
        create_app(settings(repository, api_keys=listed))


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_unreadable_file_of_keys_stops_the_start(
    repository: Path, tmp_path: Path, name: str
) -> None:
    """No file, or a folder: a sentence that names it."""
    with pytest.raises(SetupError, match="cannot be read"):
        create_app(settings(repository, admin_keys_file=tmp_path / name))


def test_file_saved_by_an_editor_on_windows_is_read(tmp_path: Path) -> None:
    """A byte order mark and carriage returns are no part of a key."""
    file = tmp_path / "keys"
    file.write_bytes(f"{ORDINARY}\r\n{ROTATED}\r\n".encode("utf-8-sig"))
    assert read_keys(file, ADMIN, "X") == [ORDINARY, ROTATED, ADMIN]
