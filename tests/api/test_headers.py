from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from service.contract.errors import SetupError
from service.main import create_app
from service.settings import Settings
from tests.api.client import Client
from tests.pictures import flat

CLASSIFY = "/v1/models/colors/classify"
HOME, OTHER = "https://example.org", "https://evil.example"
PREFLIGHT = {"origin": HOME, "access-control-request-method": "POST"}

ANSWERS: dict[str, Callable[[Client], httpx.Response]] = {
    "good": lambda client: client.post(CLASSIFY, content=flat("red")),
    "picture": lambda client: client.post(
        "/v1/models/colors/feature-maps?layer=relu", content=flat("red")
    ),
    "error": lambda client: client.post(CLASSIFY, content=b"hello"),
    "no route": lambda client: client.get("/v1/nothing"),
    "wrong method": lambda client: client.get(CLASSIFY),
    "no parameter": lambda client: client.post("/v1/models/colors/feature-maps", content=b"x"),
    "health": lambda client: client.get("/livez"),
    "openapi": lambda client: client.get("/openapi.json"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_every_answer_keeps_browsers_in_check(client: Client, answer: str) -> None:
    """Each header once, on good answers and on errors."""
    headers = ANSWERS[answer](client).headers
    assert headers.get_list("x-content-type-options") == ["nosniff"]
    assert headers.get_list("referrer-policy") == ["no-referrer"]
    assert headers.get_list("x-frame-options") == ["DENY"]
    assert len(headers.get_list("x-request-id")) == 1


def test_unforeseen_errors_have_the_headers_too(repository: Path) -> None:
    """The answer of last resort is an answer like all others."""
    client = Client(Settings(models_dir=repository, device="cpu", threads=1))

    @client.app.get("/v1/broken")
    async def broken() -> None:
        raise RuntimeError

    with client:
        answer = client.get("/v1/broken")
    assert answer.status_code == 500
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


def test_what_models_say_is_not_cached(client: Client) -> None:
    """Answers of the interface are stored nowhere on the way; others may be."""
    assert client.post(CLASSIFY, content=flat("red")).headers["cache-control"] == "no-store"
    for path in ("/v1/nothing", "/v2/models/colors", "/hf/nothing"):
        assert client.get(path).headers["cache-control"] == "no-store"
    assert "cache-control" not in client.get("/openapi.json").headers


def test_ids_are_different(client: Client) -> None:
    """Each request without an id gets its own."""
    ids = {client.get("/livez").headers["x-request-id"] for _ in range(50)}
    assert len(ids) == 50


@pytest.fixture(scope="module")
def open_to_home(repository: Path) -> Iterator[Client]:
    """A server that pages of two origins may ask, with a key."""
    settings = Settings(
        models_dir=repository,
        device="cpu",
        threads=1,
        cors_origins=f"{HOME}, http://localhost:5173",
        api_keys="a-key-for-the-page",
    )
    with Client(settings) as client:
        yield client


def test_cors_is_off_by_default(client: Client) -> None:
    """Nothing is granted to pages of others, and asking for leave is an unknown method."""
    assert (
        "access-control-allow-origin" not in client.get("/livez", headers={"origin": HOME}).headers
    )
    assert client.request("OPTIONS", CLASSIFY, headers=PREFLIGHT).status_code == 405


def test_browser_gets_leave_without_a_key(open_to_home: Client) -> None:
    """The question before the request carries no key, and names all headers that we read."""
    wanted = "authorization,content-type,traceparent,x-api-key,x-request-id,x-request-timeout-ms"
    headers = PREFLIGHT | {"access-control-request-headers": wanted}
    answer = open_to_home.request("OPTIONS", CLASSIFY, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == HOME
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "asked",
    [
        {"origin": OTHER},
        {"access-control-request-method": "DELETE"},
        {"access-control-request-headers": "x-secret"},
    ],
)
def test_nobody_else_gets_leave(open_to_home: Client, asked: dict[str, str]) -> None:
    """Other origins, methods and headers are refused."""
    answer = open_to_home.request("OPTIONS", CLASSIFY, headers=PREFLIGHT | asked)
    assert answer.status_code == 400


def test_page_can_read_answers_and_refusals(open_to_home: Client) -> None:
    """The origin is granted on good answers and on 401, with our headers to read."""
    for key, status in (("a-key-for-the-page", 200), ("wrong", 401)):
        answer = open_to_home.get("/v1/models", headers={"origin": HOME, "x-api-key": key})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == HOME
        assert answer.headers["access-control-expose-headers"] == (
            "Retry-After, inference-header-content-length, x-request-id"
        )
        assert "origin" in answer.headers["vary"].lower()


def test_other_pages_can_read_nothing(open_to_home: Client) -> None:
    """Without the grant the browser keeps the answer from the page."""
    answer = open_to_home.get("/livez", headers={"origin": OTHER})
    assert "access-control-allow-origin" not in answer.headers


def test_all_origins_can_be_allowed(repository: Path) -> None:
    """A star stands for everybody."""
    settings = Settings(models_dir=repository, device="cpu", threads=1, cors_origins="*")
    with Client(settings) as client:
        answer = client.get("/livez", headers={"origin": OTHER})
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("wrong", ["example.org", "https://example.org/", f"{HOME},", "null"])
def test_what_is_no_origin_stops_the_start(repository: Path, wrong: str) -> None:
    """Browsers would silently never match it."""
    with pytest.raises(SetupError, match="scheme, host and"):
        create_app(Settings(models_dir=repository, device="cpu", cors_origins=wrong))
