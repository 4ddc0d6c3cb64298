"""KServe's client for REST, unmodified, against a running server; its infer is tested with ours."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from kserve import InferenceRESTClient, RESTConfig

from tests.api.oip.speaking import KEY
from tests.api.real_server import Server


def by_kserve(call: Callable[[InferenceRESTClient], Awaitable[Any]]) -> Any:
    """Return what the client makes of the call."""

    async def ask() -> Any:
        async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
            return await call(client)

    return asyncio.run(ask())


@pytest.mark.parametrize("slash", ["", "/"])
def test_health(served: Server, slash: str) -> None:
    """Without a key, and however the address ends."""
    url = served.url + slash
    assert by_kserve(lambda client: client.is_server_live(url)) is True
    assert by_kserve(lambda client: client.is_server_ready(url)) is True


@pytest.mark.parametrize(
    ("name", "headers", "ready"),
    [("colors", KEY, True), ("colours", KEY, False), ("colors", {}, False)],
)
def test_model_ready(served: Server, name: str, headers: dict[str, str], ready: bool) -> None:
    """A model that is not there is not ready, nor is one for which the key is missing."""
    asked = by_kserve(lambda client: client.is_model_ready(served.url, name, headers=headers))
    assert asked is ready


def test_server_that_is_not_ready_raises_with_the_reason(unready: Server) -> None:
    """The client's own error quotes our sentence."""
    assert by_kserve(lambda client: client.is_server_live(unready.url)) is True
    with pytest.raises(httpx.HTTPStatusError) as caught:
        by_kserve(lambda client: client.is_server_ready(unready.url))
    assert str(caught.value).startswith(
        "Not all that is wanted is ready: bad/1/CARD.md: is missing., '503 "
    )
    assert by_kserve(lambda client: client.is_model_ready(unready.url, "bad")) is False
