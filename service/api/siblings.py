"""The other processes that serve at the same port."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.types import Scope

from service.api.private_line import Answer, ask
from service.api.request_id import HEADER, request_id_of
from service.contract.errors import NotEverywhere

_KEYS = (b"authorization", b"x-api-key")
_NOBODY = Answer(0, b"")


@dataclass(frozen=True)
class Siblings:
    """Which of `count` processes this is, and how to reach the others.

    folder: where each of them listens at a socket that only processes of the same user reach.
    """

    number: int
    count: int
    folder: Path

    @property
    def others(self) -> list[int]:
        """The numbers of the other processes; none where one serves alone."""
        return [number for number in range(self.count) if number != self.number]

    @property
    def shown_number(self) -> int | None:
        """This process's number where it is told, which is where there are others."""
        return self.number if self.others else None

    @property
    def own(self) -> Path:
        """Where this process listens for the others."""
        return self._place(self.number)

    def sent(self, scope: Scope) -> bool:
        """Return whether another process sent the request; it is for this one alone."""
        return self.count > 1 and scope["server"] == (str(self.own), None)

    def concerned(self, scope: Scope) -> bool:
        """Return whether there are others whom the request is for, too."""
        return self.count > 1 and not self.sent(scope)

    async def ask(
        self, method: str, target: bytes, scope: Scope | None = None, within_s: float | None = None
    ) -> dict[int, Answer]:
        """Return what each of the others answers; `_NOBODY`'s status, 0, where one does not.

        scope: the request on whose behalf they are asked.
        """
        headers = [] if scope is None else _passed_on(scope)

        async def ask_one(number: int) -> Answer:
            try:
                async with asyncio.timeout(within_s):
                    return await ask(self._place(number), method, target, headers)
            except OSError:  # of which TimeoutError is one
                return _NOBODY

        answers = await asyncio.gather(*map(ask_one, self.others))
        return dict(zip(self.others, answers, strict=True))

    @asynccontextmanager
    async def in_step(self, scope: Scope) -> AsyncIterator[None]:
        """Have the others do what the request asks for, once it is done inside.

        What fails here is not tried there. Meanwhile nobody changes anything in another order.
        Raises: NotEverywhere
        """
        if not self.concerned(scope):
            yield
            return
        async with self._turn():
            yield
            target = scope["raw_path"] + b"?" + scope["query_string"]
            answers = await self.ask(scope["method"], target, scope)
        if failed := [_failure(*each) for each in answers.items() if each[1].status != 200]:
            raise NotEverywhere(f"This is done in process {self.number}, but {'; '.join(failed)}")

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        import fcntl  # there is none on Windows, and no siblings either

        with (self.folder / "turn").open("w") as file:
            await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
            yield

    def _place(self, number: int) -> Path:
        return self.folder / f"{number}.sock"


ALONE = Siblings(0, 1, Path())


def _passed_on(scope: Scope) -> list[tuple[bytes, bytes]]:
    keys = [header for header in scope["headers"] if header[0] in _KEYS]
    return [*keys, (HEADER.encode(), request_id_of(scope).encode())]


def _failure(number: int, answer: Answer) -> str:
    if not answer.status:
        return f"process {number} does not answer"
    told = json.loads(answer.body)
    return f"process {number} says: {told.get('detail') or told.get('error')}"
