"""Measures everybody in turn, round after round, so that a drifting machine harms all alike."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.serving.answers import WrongAnswer, check_answer, expected_label
from bench.serving.samples import Sample
from bench.serving.servers import ROOT, Contestant, NotReady, serving
from bench.serving.variants import VARIANTS
from bench.serving.workloads import CACHE, CONCURRENCIES, Workload
from service.load import Unanswered


@dataclass(frozen=True)
class Plan:
    """How much is measured. contestants: servers, and None for the bare loop."""

    contestants: Sequence[Contestant | None]
    rounds: int
    seconds: float
    warmup: float


@dataclass
class Outcome:
    """What was measured, and why some servers were not, by name."""

    samples: list[Sample] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)


class NotMeasured(Exception):
    """A measuring process failed; `str(error)` is the end of what it said."""


def measure(workload: Workload, plan: Plan) -> Outcome:
    """Return all measurements; a server that fails is left out of the rounds that follow."""
    outcome = Outcome()
    label = expected_label(workload)
    for number in range(plan.rounds):
        shift = number % len(plan.contestants)  # whoever comes first once comes last the next time
        for contestant in [*plan.contestants[shift:], *plan.contestants[:shift]]:
            if contestant is None:
                outcome.samples += _loops(workload, plan, number)
            elif contestant.name not in outcome.failures:
                try:
                    # a list, so that of a round that breaks off nothing is kept
                    outcome.samples += list(_loads(workload, plan, number, contestant, label))
                except (NotReady, NotMeasured, Unanswered, WrongAnswer) as error:
                    outcome.failures[contestant.name] = str(error)
                    _tell(f"{contestant.name} is left out: {error}")
    return outcome


def _loops(workload: Workload, plan: Plan, number: int) -> Iterator[Sample]:
    picture = CACHE / f"{workload.name}.picture"
    picture.write_bytes(workload.picture())
    for variant in VARIANTS:
        command = ["bare", str(workload.folder), str(picture), *variant.arguments]
        yield _sample(plan, command, variant.name, variant.callers, number)


def _loads(
    workload: Workload, plan: Plan, number: int, contestant: Contestant, label: str
) -> Iterator[Sample]:
    with serving(contestant, workload) as running:
        check_answer(contestant, workload, running, label)
        for concurrency in CONCURRENCIES:
            command = ["client", contestant.name, workload.name, f"--pid={running.pid}"]
            command += [f"--port={running.port}", f"--concurrency={concurrency}"]
            yield _sample(plan, command, contestant.name, concurrency, number)


def _sample(plan: Plan, command: list[str], name: str, concurrency: int, number: int) -> Sample:
    figures = _run([*command, f"--seconds={plan.seconds}", f"--warmup={plan.warmup}"])
    sample = Sample(name, concurrency, number, **figures)
    _tell(f"round {number + 1}: {name} at {concurrency}: {sample.requests_per_s:.1f} a second")
    return sample


def _run(command: list[str]) -> dict[str, Any]:
    module, *arguments = command
    done = subprocess.run(
        [sys.executable, "-m", f"bench.serving.{module}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise NotMeasured(done.stderr[-1000:])
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
