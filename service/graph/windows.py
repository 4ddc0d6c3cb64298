"""The sliding windows of convolutions and poolings, read from their nodes."""

from dataclasses import dataclass
from typing import Any

import onnx

from service.contract.geometry import Window
from service.graph.facts import Facts

CONVOLUTIONS = {"Conv", "ConvTranspose"}
POOLINGS = {"MaxPool", "AveragePool", "LpPool"}


@dataclass(frozen=True)
class Windows:
    """A node's window, one number per place axis.

    padding: at the beginnings, then at the ends: (top, left, bottom, right) for pictures;
        None if it depends on an unknown size.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    padding: tuple[int, ...] | None

    def along(self, axis: int) -> Window | None:
        """Return the window along the axis, counted from the first place axis."""
        if self.padding is None:
            return None
        return Window(self.kernel[axis], self.stride[axis], self.dilation[axis], self.padding[axis])


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return the node's attributes as Python values."""
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def read_windows(node: onnx.NodeProto, facts: Facts) -> Windows | None:
    """Return the windows of a convolution or pooling, or None for any other node."""
    if node.op_type not in CONVOLUTIONS | POOLINGS:
        return None
    given = attributes(node)
    kernel = tuple(given.get("kernel_shape", ()))
    if not kernel and node.op_type in CONVOLUTIONS:
        weight = facts.shape(node.input[1]) or ()
        kernel = tuple(size for size in weight[2:] if size is not None)
    axes = len(kernel)
    if not axes or len(facts.shape(node.input[0]) or ()) != axes + 2:
        return None
    stride = tuple(given.get("strides", (1,) * axes))
    dilation = tuple(given.get("dilations", (1,) * axes))
    padding = _padding(node, given, facts, (kernel, stride, dilation))
    return Windows(kernel, stride, dilation, given.get("group", 1), padding)


def read_frames(node: onnx.NodeProto, facts: Facts) -> Window | None:
    """Return the window of samples that each frame of an STFT is made of; None if it is open."""
    step = facts.integers(node.input[1])
    given = facts.integers(node.input[3]) if len(node.input) > 3 and node.input[3] else None
    length = given[0] if given else facts.size(node.input[2], 0) if len(node.input) > 2 else None
    return Window(length, step[0]) if length and step else None


def _padding(
    node: onnx.NodeProto,
    given: dict[str, Any],
    facts: Facts,
    windows: tuple[tuple[int, ...], ...],
) -> tuple[int, ...] | None:
    mode = given.get("auto_pad", b"NOTSET").decode()
    axes = len(windows[0])
    if mode == "VALID":
        return (0,) * (2 * axes)
    if not mode.startswith("SAME"):
        return tuple(given.get("pads", (0,) * (2 * axes)))
    begins, ends = [], []
    for axis, (kernel, stride, dilation) in enumerate(zip(*windows, strict=True)):
        total = _total_padding(node, facts, axis + 2, Window(kernel, stride, dilation))
        if total is None:
            return None
        less, more = total // 2, total - total // 2
        begins.append(less if mode == "SAME_UPPER" else more)
        ends.append(more if mode == "SAME_UPPER" else less)
    return (*begins, *ends)


def _total_padding(node: onnx.NodeProto, facts: Facts, axis: int, window: Window) -> int | None:
    """Return how much SAME pads along the axis, so that the output is input / stride."""
    size = facts.size(node.input[0], axis)
    if size is None:
        return None
    if node.op_type == "ConvTranspose":  # the other way round: the output is input * stride
        return max(window.extent - window.stride, 0)
    cells = -(-size // window.stride)
    return max((cells - 1) * window.stride + window.extent - size, 0)
