from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest

from service.batching import Batcher, BatchRules
from service.runners import Runners
from service.tasks.catalog import Catalog
from tests.api.client import Client
from tests.pictures import bomb, flat, nothing_by_nothing

PATH = "/v1/models/colors/classify"
FORM = {"content-type": "multipart/form-data; boundary=x"}


async def endless(chunks: int = 100) -> AsyncIterator[bytes]:
    for _ in range(chunks):
        yield bytes(10_000)


def many_files(count: int) -> list[tuple[str, tuple[str, bytes]]]:
    return [("file", (f"{i}.jpg", flat("red"))) for i in range(count)]


Ask = Callable[[Client], httpx.Response]


def post(path: str = PATH, **how: Any) -> Ask:
    return lambda client: client.post(path, **how)


CASES: dict[str, tuple[Ask, int, str]] = {
    "no body": (post(), 400, "empty"),
    "text": (post(content=b"hello"), 415, "JPEG, PNG"),
    "truncated JPEG": (post(content=flat("red")[:300]), 422, "broken"),
    "0 x 0": (post(content=nothing_by_nothing()), 422, ""),
    "bomb": (
        post(content=bomb()),
        413,
        "900,000,000 pixels; at most 1,000,000",
    ),
    "body too large": (post(content=bytes(300_001)), 413, "300,001 bytes; at most 300,000"),
    "body without end": (lambda c: c.post(PATH, content=endless()), 413, "at most 300,000"),
    "form without end": (
        lambda c: c.post(PATH, content=endless(), headers=FORM),
        400,
        "malformed",
    ),
    "file too large": (post(files={"file": bytes(400_000)}), 413, "at most 300,000"),
    "no form": (post(content=b"hello", headers=FORM), 400, "malformed"),
    "form without boundary": (
        post(content=b"hello", headers={"content-type": "multipart/form-data"}),
        400,
        "boundary",
    ),
    "form cut short": (
        post(
            content=b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc',
            headers=FORM,
        ),
        400,
        "ends before its last boundary",
    ),
    "empty form": (post(content=b"--x--\r\n", headers=FORM), 422, "-F file=@picture.jpg"),
    "other part": (post(files={"image": flat("red")}), 422, "-F file=@picture.jpg"),
    "too many files": (post(files=many_files(5)), 413, "At most 4 files"),
    "unknown model": (post("/v1/models/colour/classify", content=b"x"), 404, "'colors'"),
    "unknown version": (post(f"{PATH}?version=3", content=b"x"), 404, "version '3'"),
    "refused model": (post("/v1/models/bad/classify", content=b"x"), 503, "CARD.md: is missing"),
    "top_k of 0": (post(f"{PATH}?top_k=0", content=b"x"), 422, "top_k"),
    "top_k in words": (post(f"{PATH}?top_k=all", content=b"x"), 422, "top_k"),
    "version of 0": (post(f"{PATH}?version=0", content=b"x"), 422, "version"),
    "version beyond reason": (post(f"{PATH}?version={'9' * 400}", content=b"x"), 422, "version"),
    "no layer": (post("/v1/models/colors/feature-maps", content=b"x"), 422, "layer"),
    "unknown layer": (
        post("/v1/models/colors/feature-maps?layer=nix", content=b"x"),
        404,
        "no layer 'nix'",
    ),
    "layers of nobody": (lambda c: c.get("/v1/models/nix/layers"), 404, "no model 'nix'"),
    "model of nobody": (lambda c: c.get("/v1/models/nix"), 404, "no model 'nix'"),
    "not ready": (lambda c: c.get("/readyz"), 503, "bad/1"),
    "no route": (lambda c: c.get("/v1/nothing"), 404, "/v1/nothing"),
    "wrong method": (lambda c: c.get(PATH), 405, "POST"),
    "strange method": (lambda c: c.request("BREW", "/v1/models"), 405, "GET"),
}


@pytest.mark.parametrize("case", CASES)
def test_every_error_has_the_one_shape(client: Client, case: str) -> None:
    """Status, media type and members are those of RFC 9457, with a request id; the server lives."""
    ask, status, detail = CASES[case]
    answer = ask(client)
    problem = answer.json()
    assert answer.status_code == status == problem["status"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "request_id"} <= set(problem)
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["type"].startswith("urn:convscope:problem:")
    assert detail in problem["detail"]
    assert client.post(PATH, content=flat("red")).status_code == 200


def test_wrong_parameters_are_listed(client: Client) -> None:
    """Programs find each wrong parameter by its name."""
    problem = client.post(f"{PATH}?top_k=0&version=x", content=b"x").json()
    assert [error["parameter"] for error in problem["errors"]] == ["top_k", "version"]


def test_unforeseen_error_keeps_its_secrets(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """A plain 500 without the error's text; the log has it, under the request's id."""

    def fail(inputs: Sequence[Any], alone: bool) -> list[np.ndarray]:
        raise RuntimeError("secret path /home/me")

    state = client.app.state.convscope
    model = state.catalog.get("colors")
    runners = Runners(1)
    broken = Batcher(model.classifying().task.prepare, fail, runners, BatchRules())
    before = state.catalog
    client.serve_instead(
        Catalog([replace(model, answering=model.answering._replace(queue=broken))], [], None)
    )
    try:
        answer = client.post(PATH, content=flat("red"))
        batch = client.post(PATH, files=many_files(2))
    finally:
        client.serve_instead(before)
        runners.close()
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text + batch.text
    assert [result["status"] for result in batch.json()["results"]] == [500, 500]
    assert answer.headers["x-request-id"] in caplog.text
    assert "secret path" in caplog.text


@pytest.mark.parametrize("given", ["a", "abc-123_X.y", "f" * 128])
def test_sane_request_id_is_kept(client: Client, given: str) -> None:
    """Who sends an id finds it in the answer, be it good or bad."""
    for path in ("/livez", "/nothing"):
        assert client.get(path, headers={"x-request-id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "<script>", "a\tb"])
def test_insane_request_id_is_replaced(client: Client, given: str) -> None:
    """Nothing that could harm a log or a page is passed on."""
    made = client.get("/livez", headers={"x-request-id": given}).headers["x-request-id"]
    assert made != given
    assert len(made) == 32


@pytest.mark.parametrize("path", ["/v2/nothing", "/v2", "/hf/nothing/more"])
def test_other_protocols_get_their_shape(client: Client, path: str) -> None:
    """Clients of other protocols read {"error": "..."} alone, and its media type."""
    answer = client.request("DELETE", path)

    assert answer.status_code in (404, 405)
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["error"]
    assert path in answer.json()["error"]
    assert client.get("/v2nothing").headers["content-type"] == "application/problem+json"
