"""Holds the servers' answers against the bare loop's: a fast wrong answer is worth nothing."""

import json
from typing import Any

from bench.serving.bare import classify
from bench.serving.pipeline import Pipeline, open_session
from bench.serving.servers import Contestant, Running, target_and_body
from bench.serving.workloads import Workload
from service.load import probe


class WrongAnswer(Exception):
    """A server does not find what the bare loop finds."""


def expected_label(workload: Workload) -> str:
    """Return the likeliest class of the workload's picture."""
    pipeline = Pipeline(workload.folder, open_session(workload.folder, threads=1))
    return _likeliest(classify(pipeline, workload.picture(), batch=1))


def check_answer(
    contestant: Contestant, workload: Workload, running: Running, expected: str
) -> None:
    """Ask the server once.

    Raises: WrongAnswer if it finds another class or refuses; Unanswered.
    """
    answer = probe(*target_and_body(contestant, workload, running))
    if answer.status != 200:
        raise WrongAnswer(f"it answered {answer}")
    found = _likeliest(json.loads(answer.body))
    if found != expected:
        raise WrongAnswer(f"it found {found!r}, the bare loop {expected!r}")


def _likeliest(answer: Any) -> str:
    # BentoML answers a batch, here of one
    one = answer[0] if isinstance(answer, list) else answer
    return str(one["predictions"][0]["label"])
