"""Compressed requests for inference, and compressed answers."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator

import httpx
import numpy as np
import pytest

from service.settings import Settings
from tests.api.client import Client
from tests.api.oip.asking import LENGTH, infer, outputs_of, refusal, sent_as_bytes, tensor
from tests.tiny_models import write_model

PICTURES = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), np.uint8)
CODINGS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
MOST_BYTES = 1_000_000


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    root = tmp_path_factory.mktemp("models")
    write_model(root)
    settings = Settings(
        models_dir=root,
        device="cpu",
        threads=2,
        max_body_bytes=MOST_BYTES,
        max_inflight_bytes=2 * MOST_BYTES,
    )
    with Client(settings) as client:
        yield client


def post(client: Client, content: bytes, coding: str, **headers: str) -> httpx.Response:
    return infer(client, "colors", content=content, headers={"content-encoding": coding, **headers})


@pytest.mark.parametrize("coding", CODINGS)
def test_compressed_request_is_the_same_request(client: Client, coding: str) -> None:
    """As JSON, and with bytes behind the JSON, whose length is that before compressing."""
    plain = outputs_of(infer(client, "colors", **sent_as_bytes("images", PICTURES)))
    content, headers = sent_as_bytes("images", PICTURES).values()
    as_json = json.dumps({"inputs": [tensor("images", PICTURES)]}).encode()
    squeeze = CODINGS[coding]
    for answer in (
        post(client, squeeze(content), coding, **headers),
        post(client, squeeze(as_json), coding.upper()),
    ):
        assert outputs_of(answer)["probabilities"].tolist() == plain["probabilities"].tolist()


def chores_done(client: Client) -> int:
    """Return how much has been done by runners beside the models."""
    batches: dict[int, int] = client.app.state.convscope.chores.batches
    return sum(batches.values())


def test_large_request_is_inflated_in_steps(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than what is inflated at once, and still whole."""
    monkeypatch.setattr("service.api.oip.coding._STEP_BYTES", 100_000)
    pictures = np.random.default_rng(1).integers(0, 9, (5_000, 8, 8, 3), np.uint8)
    content, headers = sent_as_bytes("images", pictures).values()
    assert len(content) > 900_000
    plain = outputs_of(infer(client, "colors", content=content, headers=headers))
    before = chores_done(client)
    squeezed = outputs_of(post(client, gzip.compress(content), "gzip", **headers))
    assert squeezed["probabilities"].tolist() == plain["probabilities"].tolist()
    assert chores_done(client) - before >= len(content) // 100_000


def test_long_request_that_holds_little_is_read_by_runners(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of blocks that hold nothing nothing comes, and yet reading them takes its time."""
    monkeypatch.setattr("service.api.oip.coding._STEP_BYTES", 100_000)
    hollow = b"\0\0\0\xff\xff" * 180_000  # RFC 1951, 3.2.4: a block of 0 bytes, not the last one
    squeezed = zlib.compress(b'{"inputs": []}')
    before = chores_done(client)
    answer = post(client, squeezed[:2] + hollow + squeezed[2:], "deflate")
    assert 'must have "inputs"' in refusal(answer)
    assert chores_done(client) - before == 10


@pytest.mark.parametrize("coding", CODINGS)
def test_answer_is_compressed_for_who_asks_for_that_alone(client: Client, coding: str) -> None:
    """The length of the JSON is that before compressing; httpx inflates by itself."""
    parameters = {"binary_data_output": True}
    how = sent_as_bytes("images", PICTURES, parameters=parameters)
    plain = outputs_of(infer(client, "colors", **how))
    how["headers"]["accept-encoding"] = coding
    answer = infer(client, "colors", **how)
    assert answer.headers["content-encoding"] == coding
    assert answer.headers["vary"] == "accept-encoding"
    assert int(answer.headers[LENGTH]) < len(answer.content)
    assert outputs_of(answer)["probabilities"].tolist() == plain["probabilities"].tolist()


@pytest.mark.parametrize("accept", [None, "", "identity", "gzip, deflate", "br", "gzip;q=0", "*"])
def test_answer_is_not_compressed_for_anybody_else(client: Client, accept: str | None) -> None:
    """Clients that name all that they know would wait longer for small tensors."""
    how = sent_as_bytes("images", PICTURES)
    if accept is not None:
        how["headers"]["accept-encoding"] = accept
    assert "content-encoding" not in infer(client, "colors", **how).headers


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("size", [MOST_BYTES + 1, 100 * MOST_BYTES])
def test_bomb_is_refused_when_it_is_as_large_as_a_body_may_be(
    client: Client, coding: str, size: int
) -> None:
    """What counts is what it inflates to, and no more of it is made."""
    bomb = CODINGS[coding](bytes(size))
    assert len(bomb) < MOST_BYTES
    answer = post(client, bomb, coding)
    assert answer.status_code == 413
    assert (
        refusal(answer) == "The body inflates to more than the 1,000,000 bytes that are accepted."
    )


def test_what_is_inflated_takes_its_share_of_the_room(client: Client) -> None:
    """While others hold the room that there is, a small body that becomes large is refused."""
    limits = client.app.state.convscope.body_limits
    other = limits.budget.share()
    other.reserve(2 * MOST_BYTES - 20_000)
    try:
        answer = post(client, gzip.compress(bytes(500_000)), "gzip")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "take all the room" in answer.json()["error"]
    finally:
        other.release()
    assert limits.budget.held_bytes == 0


GOOD = gzip.compress(b'{"inputs": []}')


@pytest.mark.parametrize(
    ("content", "coding", "status", "sentence"),
    [
        (b"", "gzip", 400, "ends before its gzip does"),
        (b"{}", "gzip", 400, "is no gzip, or is broken"),
        (b"{}", "deflate", 400, "is no deflate, or is broken"),
        (GOOD, "deflate", 400, "is no deflate"),
        (GOOD[:-1], "gzip", 400, "ends before its gzip does"),
        (GOOD[:12], "gzip", 400, "ends before its gzip does"),
        (GOOD[:-5] + b"\0" * 5, "gzip", 400, "is broken"),
        (GOOD + b"x", "gzip", 400, "goes on where its gzip ends"),
        (GOOD + GOOD, "gzip", 400, "goes on where its gzip ends"),
        (GOOD + bytes(100_000), "gzip", 400, "goes on where its gzip ends"),
        (GOOD, "br", 415, "gzip or deflate, not 'br'"),
        (GOOD, "gzip, gzip", 415, "gzip or deflate"),
        (GOOD, "x" * 5000, 415, "gzip or deflate"),
        (GOOD, "gzip", 400, 'must have "inputs"'),
    ],
)
def test_broken_compression_is_refused(
    client: Client, content: bytes, coding: str, status: int, sentence: str
) -> None:
    """With what is wrong with it."""
    answer = post(client, content, coding)
    assert answer.status_code == status
    assert sentence in refusal(answer)
    assert client.app.state.convscope.body_limits.budget.held_bytes == 0
