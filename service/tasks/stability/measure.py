"""How the answer to one input changes as it is moved."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Event

import numpy as np

from service.contract.errors import DeadlineExceeded
from service.tasks.reasons.weighing import Steps
from service.tasks.stability.judges import Said
from service.tasks.stability.moves import Sweep, Transform
from service.tasks.stability.subjects import Subject


@dataclass(frozen=True)
class Curve:
    """What was said at each amount of a sweep, in their order."""

    sweep: Sweep
    said: tuple[Said, ...]

    @property
    def consistency(self) -> float:
        """Share of the moved inputs that are answered as at rest; of masks, the mean agreement."""
        moved = [
            float(said.agrees)
            for amount, said in zip(self.sweep.amounts, self.said, strict=True)
            if amount != self.sweep.rest
        ]
        return float(np.mean(moved))


@dataclass(frozen=True)
class Stability:
    """The curves of one class. runs: inputs that were run, the one at rest among them."""

    class_index: int
    probability: float | None
    curves: tuple[Curve, ...]
    runs: int


def measure(
    subject: Subject, transforms: Sequence[Transform], class_index: int | None, gone: Event
) -> Steps[Stability]:
    """Run the input at rest and moved in every way of the transforms, in steps.

    class_index: the class to follow; None for the likeliest at rest.
    gone: set when nobody waits for the answer any more; looked at before each run.
    Raises: InvalidParameter; DeadlineExceeded.
    """
    moves, judge, _ = subject
    sweeps = [sweep for transform in transforms for sweep in moves.sweeps(transform)]
    at_rest = judge.rest(moves.rest[None], class_index)
    moved = _run_moved(subject, sweeps, gone)
    curves = []
    for sweep in sweeps:
        by_amount = {sweep.rest: at_rest}
        for amount in sweep.moving:
            while (said := next(moved)) is None:
                yield  # others have their turn
            by_amount[amount] = said
        curves.append(Curve(sweep, tuple(by_amount[amount] for amount in sweep.amounts)))
    runs = 1 + sum(len(sweep.moving) for sweep in sweeps)
    return Stability(judge.followed, at_rest.probability, tuple(curves), runs)


def _run_moved(subject: Subject, sweeps: Sequence[Sweep], gone: Event) -> Iterator[Said | None]:
    """Yield what is said of each moved input, in order, and None before every run.

    No more of them are held than one run's.
    """
    moves, judge, together = subject
    wanted = ((sweep, amount) for sweep in sweeps for amount in sweep.moving)
    while batch := list(islice(wanted, together)):
        if gone.is_set():
            raise DeadlineExceeded("Nobody waits for the answer any more.")
        yield None
        outputs = judge.run(np.stack([moves.moved(sweep, amount) for sweep, amount in batch]))
        for (sweep, amount), output in zip(batch, outputs, strict=True):
            yield judge.compare(output, sweep, amount)
