"""Requests to an application in this very process."""

import asyncio
from collections.abc import Callable, Coroutine, MutableMapping
from types import TracebackType
from typing import Any

import httpx
from fastapi import FastAPI

from service.main import create_app
from service.settings import Settings
from service.tasks.catalog import Catalog


class Client:
    """Starts the application, asks it, and stops it again."""

    def __init__(self, settings: Settings) -> None:
        self.app: FastAPI = create_app(settings)
        self._runner = asyncio.Runner()
        self._lifespan = self.app.router.lifespan_context(self.app)

    def __enter__(self) -> "Client":
        self._runner.run(self._lifespan.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._runner.run(self._lifespan.__aexit__(None, None, None))
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Return what comes of it on the application's own event loop."""
        return self._runner.run(work)

    def request(self, method: str, path: str, **how: Any) -> httpx.Response:
        return self._runner.run(self._request(method, path, **how))

    def get(self, path: str, **how: Any) -> httpx.Response:
        return self.request("GET", path, **how)

    def post(self, path: str, **how: Any) -> httpx.Response:
        return self.request("POST", path, **how)

    def post_together(
        self, path: str, requests: list[dict[str, Any]], after: int, then: Callable[[], None]
    ) -> list[httpx.Response]:
        """Post all at once; call `then` when so many are answered; return all answers."""

        async def together() -> list[httpx.Response]:
            tasks = [asyncio.create_task(self._request("POST", path, **how)) for how in requests]
            for number, first in enumerate(asyncio.as_completed(tasks), start=1):
                await first
                if number == after:
                    then()
            return [task.result() for task in tasks]

        return self._runner.run(together())

    def post_and_leave(self, path: str, body: bytes) -> None:
        """Post, hang up without waiting for the answer, and return when the server is done."""
        messages = [{"type": "http.request", "body": body}]

        async def receive() -> dict[str, Any]:
            return messages.pop() if messages else {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            """Nobody is there to hear it."""

        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "headers": [],
        }
        self._runner.run(self.app(scope, receive, send))  # type: ignore[arg-type]

    def serve_instead(self, catalog: Catalog) -> None:
        """Answer with these models from now on."""
        self.app.state.convscope.live.catalog = catalog

    async def _request(self, method: str, path: str, **how: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **how)
