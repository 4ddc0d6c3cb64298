"""The two clients: they take the steps of a conversation, in their own ways."""

import asyncio
import re
import time
from contextlib import aclosing, closing
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from service.client.call import Answer, Call
from service.client.conversation import Failure, Send, Setup, Wait, Work, converse
from service.client.questions import Questions

Told = TypeVar("Told")

# The server closes connections that were idle for 5 s; one that is just being closed is no use.
_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=4)

# What a header can carry, and the server takes as a key.
_KEY = re.compile("[!-~]+")


class _Client(Questions):
    """What both clients are made with.

    url: of the server, with or without a path before its routes.
    api_key: one of the server's keys, if it has some.
    timeout_s: for a question, with all its tries; the server is told what is left of it.
    retries: how often a question is asked again if the server is full or cannot be reached.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        timeout_s: float = 30.0,
        retries: int = 3,
    ) -> None:
        if not _is_address(url):
            raise ValueError(f"{url!r} is no address of a server, such as http://127.0.0.1:8000")
        if timeout_s <= 0 or retries < 0:
            raise ValueError("timeout_s must be above 0, and retries not below")
        headers = {"user-agent": "convscope-client"}
        if api_key is not None:
            if not _KEY.fullmatch(api_key):  # told without it: messages are logged
                raise ValueError("api_key must be letters, digits and signs, without line ends")
            headers["authorization"] = f"Bearer {api_key}"
        self._setup = Setup(url.rstrip("/"), headers, timeout_s, retries)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._setup.url!r})"


def _is_address(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return parsed.scheme in ("http", "https") and bool(parsed.host)


class Client(_Client):
    """Asks a server and waits for the answer. Threads may share one.

    http: an httpx.Client of your own, for certificates or proxies, which stays open.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        timeout_s: float = 30.0,
        retries: int = 3,
        http: httpx.Client | None = None,
    ) -> None:
        super().__init__(url, api_key=api_key, timeout_s=timeout_s, retries=retries)
        self._http = http or httpx.Client(limits=_LIMITS)
        self._owns_http = http is None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._owns_http:
            self._http.close()

    def send(self, call: Call[Told]) -> Told:
        """Return what the call is answered; raises as its method does."""
        steps = converse(call, self._setup)
        outcome: Any = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                told: Told = end.value
                return told
            outcome = self._take(step)

    def _take(self, step: Wait | Work | Send) -> Any:
        if isinstance(step, Wait):
            time.sleep(step.seconds)
            return None
        if isinstance(step, Work):
            return step.do()
        request = self._http.build_request(**step.request, timeout=step.timeout_s)
        ends = time.monotonic() + step.timeout_s  # httpx limits each chunk, not all of them
        begun, content = False, bytearray()
        try:
            with closing(self._http.send(request, stream=True)) as response:
                begun = True
                for chunk in response.iter_bytes():
                    content += chunk
                    if time.monotonic() > ends:
                        raise httpx.ReadTimeout("")
        except httpx.RequestError as error:
            return Failure(error, begun)
        return Answer(response.status_code, response.headers, bytes(content))


class AsyncClient(_Client):
    """Asks a server and lets others work until the answer is there. Belongs to an event loop.

    http: an httpx.AsyncClient of your own, for certificates or proxies, which stays open.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        timeout_s: float = 30.0,
        retries: int = 3,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        super().__init__(url, api_key=api_key, timeout_s=timeout_s, retries=retries)
        self._http = http or httpx.AsyncClient(limits=_LIMITS)
        self._owns_http = http is None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._owns_http:
            await self._http.aclose()

    async def send(self, call: Call[Told]) -> Told:
        """Return what the call is answered; raises as its method does."""
        steps = converse(call, self._setup)
        outcome: Any = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                told: Told = end.value
                return told
            outcome = await self._take(step)

    async def _take(self, step: Wait | Work | Send) -> Any:
        if isinstance(step, Wait):
            return await asyncio.sleep(step.seconds)
        if isinstance(step, Work):
            return await asyncio.to_thread(step.do)
        request = self._http.build_request(**step.request, timeout=step.timeout_s)
        begun = False
        try:
            async with (
                asyncio.timeout(step.timeout_s),
                aclosing(await self._http.send(request, stream=True)) as response,
            ):
                begun = True
                content = await response.aread()
        except TimeoutError:
            return Failure(httpx.ReadTimeout(""), begun)
        except httpx.RequestError as error:
            return Failure(error, begun)
        return Answer(response.status_code, response.headers, content)
