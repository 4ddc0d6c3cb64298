"""What was sent, and what became of it."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.chaos.connection import Lost, Reply
from bench.chaos.letter import Letter

_ID = b"x-request-id"


@dataclass(slots=True)
class Entry:
    """One request. due, done: seconds of `time.perf_counter`; done is 0 until it ended.

    answers: how many answers carried its id.
    failure: why it has no answer.
    """

    id: str
    letter: Letter
    due: float
    done: float = 0.0
    status: int = 0
    answers: int = 0
    retry_after: bool = False
    failure: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it was answered well."""
        return self.status == 200

    @property
    def latency_s(self) -> float:
        """Seconds from when it was due."""
        return self.done - self.due


class Ledger:
    """The requests of one phase.

    strangers: answers with an id that is not that of the request they came to.
    unasked: connections on which bytes came that answered nothing.
    """

    def __init__(self, phase: str) -> None:
        self._phase = phase
        self._by_id: dict[str, Entry] = {}
        self.strangers: list[str] = []
        self.unasked = 0

    @property
    def entries(self) -> list[Entry]:
        """All of them, in the order in which they were sent."""
        return list(self._by_id.values())

    def post(self, letter: Letter, due: float) -> Entry:
        """Note that a request is about to be sent, and give it an id that no other has."""
        entry = Entry(f"{self._phase}-{len(self._by_id)}", letter, due)
        self._by_id[entry.id] = entry
        return entry

    def answered(self, entry: Entry, reply: Reply) -> None:
        """Note the answer that came to the request, and whose it says to be."""
        entry.done = time.perf_counter()
        entry.status = reply.status
        entry.retry_after = b"retry-after" in reply.headers
        if not entry.letter.named:
            return
        told = reply.headers.get(_ID, b"none").decode("latin-1")
        if told in self._by_id:
            self._by_id[told].answers += 1
        if told != entry.id:
            self.strangers.append(f"{told} to {entry.id}")

    def lost(self, entry: Entry, error: Lost) -> None:
        """Note that the request has no answer and will have none."""
        entry.done = time.perf_counter()
        entry.failure = error.kind

    def where(self, fits: Callable[[Entry], bool]) -> list[Entry]:
        """Return the entries that fit."""
        return [entry for entry in self._by_id.values() if fits(entry)]

    def not_answered_once(self) -> list[Entry]:
        """Return those that should have had exactly one answer, and had not."""
        return self.where(lambda entry: entry.letter.named and entry.answers != 1)


def told(entries: Iterable[Entry], most: int = 5) -> str:
    """Return what became of them, as text: the commonest first.

    >>> told([])
    'none'
    """
    counts = Counter((entry.letter.kind, outcome(entry)) for entry in entries)
    parts = [f"{n} x {kind}: {how}" for (kind, how), n in counts.most_common(most)]
    return ", ".join(parts) or "none"


def outcome(entry: Entry) -> str:
    """Return its status, or why it has none."""
    return str(entry.status) if entry.status else entry.failure or "still waiting"


def by_kind(entries: Iterable[Entry]) -> dict[str, Counter[str]]:
    """Return for each kind of request how often it ended how."""
    kinds: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        kinds[entry.letter.kind][outcome(entry)] += 1
    return dict(sorted(kinds.items()))
