"""Where and how models run, as the operator wants it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class Threads:
    """CPU threads of one run: `shared` when runs stand side by side, `alone` when one has all.

    Zero takes what the CPU quota grants.
    """

    shared: int = 0
    alone: int = 0


@dataclass(frozen=True)
class Gpu:
    """How a GPU is used.

    index: which one.
    memory_bytes: what one model may take of it, weights included; 0 for no limit.
    tensorrt_cache: a folder for the engines that TensorRT builds; None leaves TensorRT out.
    warm_up_sizes: batches that are run once before a model is ready.
    """

    index: int = 0
    memory_bytes: int = 0
    tensorrt_cache: Path | None = None
    warm_up_sizes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Placement:
    """Where models run and with what. custom_ops: a library of operators of one's own."""

    device: Device = "auto"
    threads: Threads = Threads()
    gpu: Gpu = Gpu()
    custom_ops: Path | None = None


ON_CPU = Placement("cpu")
ANYWHERE = Placement()
