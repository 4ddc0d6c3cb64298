"""Pictures to a segmenter, and its masks to what the client wants to have."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event

from fastapi import Request

from service.api.noted import note_timing
from service.api.patience import finish, outcomes, timeout_s
from service.api.segment_answer import Write, Written
from service.api.segment_query import SegmentQuery
from service.api.state import State
from service.api.timings import timing_of
from service.tasks.catalog import Segmenting, ServedModel
from service.tasks.segment import Question, Segmented
from service.tasks.timing import Timing
from service.ticket import Ran


@dataclass(frozen=True)
class Seeing:
    """One request and the model that segments its pictures.

    write: makes the answer to one. certainty: whether it takes how sure the model is.
    """

    model: ServedModel
    segmenting: Segmenting
    query: SegmentQuery
    write: Write
    request: Request
    state: State
    certainty: bool = False

    async def results(self, files: Sequence[bytes]) -> list[bytes | Exception]:
        """Return what each file is answered, or what befell it; a large one is given up on leaving.

        Raises: Overloaded; DeadlineExceeded; ClientDisconnect; InvalidParameter.
        """
        gone, query = Event(), self.query
        wanted = query.wanted_class(len(self.model.manifest.labels))
        questions = [
            Question(file, query.tile_px, query.resolution, wanted, self.certainty, gone)
            for file in files
        ]
        limit_s = timeout_s(self.request, self.state.request_timeout_ms)
        try:
            ticket = self.segmenting.queue.enqueue(questions, limit_s)
            answers = await outcomes(self.request, ticket, self.state.condition)
        finally:
            gone.set()
        return [
            answer
            if isinstance(answer, Exception)
            else await self._told(file, answer, ticket.submitted)
            for file, answer in zip(files, answers, strict=True)
        ]

    async def _told(self, file: bytes, answer: Ran[Segmented], started: float) -> bytes | Exception:
        segmented = answer.output
        # decoding a large picture is part of its run
        timing = timing_of(answer, answer.waited + answer.prepared + answer.ran, segmented.decode_s)
        work = partial(self.write, file, segmented, timing, started)
        try:
            written: Written = await finish(work, self.request, self.state)
        except Exception as error:  # the other files have their answers
            return error
        self._note(written.timing)
        return written.content

    def _note(self, timing: Timing) -> None:
        manifest = self.model.manifest
        self.state.metrics.observe_item(self.model, timing)
        note_timing(self.request.scope, manifest.name, manifest.version, timing)
