"""What is served and sent, and how near to the bare loop convscope means to come."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.serving.pictures import photo_jpeg, small_png

CACHE = Path(__file__).parents[1] / ".cache"
MODEL_VARIABLE = "BENCH_MODEL"  # of the environment: the version folder that rivals serve
ALONE = 1  # requests at once
CONCURRENCIES = (ALONE, 8, 32)


@dataclass(frozen=True)
class Targets:
    """Promises to keep.

    of_bare_loop: least share of the bare loop's throughput, by concurrency.
    p99_over_p50: largest ratio of the two when requests come one at a time, or None.
    beats_tutorial: whether a request at a time must be answered as fast as by the tutorial.
    overhead_ms: most CPU-ms that a request may cost over the bare loop's.
    """

    of_bare_loop: dict[int, float]
    p99_over_p50: float | None = None
    beats_tutorial: bool = False
    overhead_ms: float = 0.10


@dataclass(frozen=True)
class Workload:
    """A net and a picture for it.

    size: side of the net's square input, in pixels.
    picture: makes the bytes that are sent, of `media_type`.
    """

    name: str
    title: str
    size: int
    classes: int
    picture: Callable[[], bytes]
    media_type: str
    targets: Targets

    @property
    def models_dir(self) -> Path:
        """The repository that holds this model and no other."""
        return CACHE / "models" / self.name

    @property
    def folder(self) -> Path:
        """The model's version folder."""
        return self.models_dir / self.name / "1"


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload(
            name="resnet18",
            title="ResNet-18 at 224 px, fed with a 640x480 JPEG",
            size=224,
            classes=1000,
            picture=partial(photo_jpeg, 640, 480),
            media_type="image/jpeg",
            targets=Targets({ALONE: 0.90, 8: 0.97, 32: 0.97}, p99_over_p50=1.3),
        ),
        Workload(
            name="resnet20",
            title="ResNet-20 at 32 px, fed with a 32x32 PNG",
            size=32,
            classes=10,
            picture=partial(small_png, 32),
            media_type="image/png",
            targets=Targets({32: 0.80}, beats_tutorial=True),  # the goal is 0.85
        ),
    )
}
