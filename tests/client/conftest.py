import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from service.client import AsyncClient, Client

# Call a method of a new client: the URL, the method's name, what the client is made with, and
# what the method takes.
Ask = Callable[..., Any]


def ask_now(url: str, name: str, /, *args: Any, client: dict[str, Any], **how: Any) -> Any:
    with Client(url, **client) as asking:
        return getattr(asking, name)(*args, **how)


def ask_later(url: str, name: str, /, *args: Any, client: dict[str, Any], **how: Any) -> Any:
    async def awaited() -> Any:
        async with AsyncClient(url, **client) as asking:
            return await getattr(asking, name)(*args, **how)

    return asyncio.run(awaited())


@pytest.fixture(params=[ask_now, ask_later], ids=["Client", "AsyncClient"])
def ask(request: pytest.FixtureRequest) -> Ask:
    def ask_it(
        url: str, name: str, /, *args: Any, client: dict[str, Any] | None = None, **how: Any
    ) -> Any:
        return request.param(url, name, *args, client=client or {}, **how)

    return ask_it
