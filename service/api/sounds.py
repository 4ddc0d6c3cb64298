"""Sounds to a model that listens, and what it says of them to JSON."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event
from time import perf_counter
from typing import Any, NamedTuple

import orjson
from fastapi import Request

from service.api.noted import note_timing
from service.api.patience import finish, outcomes, timeout_s
from service.api.state import State
from service.api.timings import timing_of, timing_out
from service.tasks.catalog import Listening, ServedModel
from service.tasks.listen import Heard, Recording
from service.tasks.timing import Timing
from service.ticket import Ran

# The answer but for its timing, from what the model said; may raise, and blocks.
Describe = Callable[[Heard], Any]


class _Written(NamedTuple):
    content: bytes
    timing: Timing


def with_timing(described: dict[str, Any], timing: Timing) -> bytes:
    """Return the answer and its timing as JSON."""
    return orjson.dumps({**described, "timing": timing_out(timing)})


@dataclass(frozen=True)
class Hearing:
    """One request and the model that listens for it.

    describe: makes the answer to a file. write: writes it out.
    """

    model: ServedModel
    listening: Listening
    describe: Describe
    request: Request
    state: State
    write: Callable[[Any, Timing], bytes] = with_timing

    async def results(self, files: Sequence[bytes]) -> list[bytes | Exception]:
        """Return the JSON of each file, or what befell it; a long one is given up on leaving.

        Raises: Overloaded; DeadlineExceeded; ClientDisconnect.
        """
        gone = Event()
        recordings = [Recording(file, gone) for file in files]
        limit_s = timeout_s(self.request, self.state.request_timeout_ms)
        try:
            ticket = self.listening.queue.enqueue(recordings, limit_s)
            answers = await outcomes(self.request, ticket, self.state.condition)
        finally:
            gone.set()
        return [
            answer if isinstance(answer, Exception) else await self._told(answer, ticket.submitted)
            for answer in answers
        ]

    async def _told(self, answer: Ran[Heard], started: float) -> bytes | Exception:
        try:
            work = partial(self._written, answer, started)
            written: _Written = await finish(work, self.request, self.state)
        except Exception as error:  # the other files have their answers
            return error
        self._note(answer.output, written.timing)
        return written.content

    def _note(self, heard: Heard, timing: Timing) -> None:
        manifest, spec = self.model.manifest, self.listening.task.spec
        self.state.metrics.observe_item(self.model, timing)
        self.state.metrics.observe_sound(self.model, heard.samples / spec.sample_rate_hz)
        note_timing(self.request.scope, manifest.name, manifest.version, timing)

    def _written(self, answer: Ran[Heard], started: float) -> _Written:
        described = self.describe(answer.output)
        timing = timing_of(answer, perf_counter() - started, answer.output.decode_s)
        return _Written(self.write(described, timing), timing)
