"""What the operator said of the file."""

from dataclasses import dataclass
from typing import Literal

from service.contract.manifest import Task

Resize = Literal["squash", "shortest_side_center_crop", "letterbox", "same_area", "none"]
Gives = Literal["logits", "probabilities", "independent"]


@dataclass(frozen=True)
class Asked:
    """Answers to what a file does not tell; None where the file, or a default, is to decide.

    labels: one text a class.
    labels_name: of the file they are from.
    output: which output holds the answer.
    gives: what that output holds.
    size: height and width in pixels.
    mean, std: in the order in which the net takes its channels.
    multiple: of which height and width are multiples, for graphs that take any size.
    scale: what bytes, or samples in -1..1, are multiplied with first.
    """

    task: Task
    labels: tuple[str, ...] | None = None
    labels_name: str = ""
    output: str | None = None
    gives: Gives | None = None
    preset: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    scale: float | None = None
    layout: Literal["NCHW", "NHWC"] | None = None
    channel_order: Literal["rgb", "bgr"] | None = None
    size: tuple[int, int] | None = None
    resize: Resize | None = None
    crop_fraction: float | None = None
    multiple: int = 1
    sample_rate_hz: int | None = None
    window_s: float | None = None
    hop_s: float | None = None
