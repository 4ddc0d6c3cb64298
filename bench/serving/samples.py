"""What was measured, as plain values that survive in a file."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """One measurement of a server or of a variant of the bare loop.

    concurrency: requests under way at once; of the bare loop, its callers.
    p50_ms, p99_ms: of good answers; of the bare loop, of a round of its batch.
    cpu_ms: processor time of the server, or of the loop, for each picture.
    client_cores: processors that the load took; none for the bare loop.
    errors: requests without a good answer.
    """

    name: str
    concurrency: int
    round: int
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    client_cores: float = 0.0
    errors: int = 0


def save_samples(file: Path, samples: Iterable[Sample]) -> None:
    """Write the samples as JSON, so that a report can be made again."""
    file.write_text(json.dumps([asdict(sample) for sample in samples], indent=1) + "\n")


def load_samples(file: Path) -> list[Sample]:
    """Return what `save_samples` wrote."""
    return [Sample(**fields) for fields in json.loads(file.read_text())]
