"""Receptive fields held against the pixels that really change a cell."""

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from service.contract.geometry import Window, output_size
from service.graph.layers import Layer, describe_layers
from tests.onnx_graphs import Net, residual_net, run_all_taps


def seen_pixels(model: onnx.ModelProto, height: int, width: int) -> dict[str, np.ndarray]:
    """Return by tap which pixels change each value when they alone become bright.

    The arrays are bool (height, width, *tap.shape).
    """
    images = np.ones((height * width + 1, height, width, 3), np.uint8)
    for index, (row, column) in enumerate(product(range(height), range(width))):
        images[index, row, column] = 255
    seen = {}
    for name, values in run_all_taps(model, images).items():
        changed = values[:-1] != values[-1]
        seen[name] = changed.reshape(height, width, *changed.shape[1:])
    return seen


def stretch(hits: np.ndarray) -> tuple[int, int]:
    """Return the first and one past the last pixel that matters."""
    places = np.flatnonzero(hits)
    return int(places[0]), int(places[-1]) + 1


def assert_fields_are_seen(model: onnx.ModelProto, height: int, width: int) -> None:
    """Hold each row's size, jump and start against what the pixels do to the values."""
    seen = seen_pixels(model, height, width)
    for layer in describe_layers(model).layers:
        assert layer.receptive_field is not None, layer
        for axis in (0, 1):
            along = seen[layer.name].any(axis=1 - axis)
            if layer.jump is None:
                values = along.reshape(len(along), -1).T
                stretches = [stretch(hits) for hits in values]
                assert max(end - first for first, end in stretches) == layer.receptive_field[axis]
            else:
                assert_cells_see(layer, axis, along.any(axis=(1, 3 - axis)))


def assert_cells_see(layer: Layer, axis: int, along: np.ndarray) -> None:
    """Hold the stretch of each cell, exactly for those far from the border.

    along: bool (pixels, cells).
    """
    size, start, jump = layer.receptive_field[axis], layer.start[axis], layer.jump[axis]
    for cell, hits in enumerate(along.T):
        begin, end = start + cell * jump - size / 2, start + cell * jump + size / 2
        if begin >= 0 and end <= len(hits):
            assert stretch(hits) == (begin, end), layer
        elif hits.any():
            first, last = stretch(hits)
            assert begin <= first, layer
            assert last <= end, layer


def assert_most_is_seen(model: onnx.ModelProto, height: int, width: int) -> None:
    """Hold each row against its cells far from the border, of which some see less than others."""
    seen = seen_pixels(model, height, width)
    for layer in describe_layers(model).layers:
        for axis in (0, 1):
            along = seen[layer.name].any(axis=1 - axis).any(axis=(1, 3 - axis))
            stretches = {cell: stretch(hits) for cell, hits in enumerate(along.T) if hits.any()}
            inner = {c: s for c, s in stretches.items() if s[0] > 0 and s[1] < len(along)}
            size, start, jump = layer.receptive_field[axis], layer.start[axis], layer.jump[axis]
            assert max(end - begin for begin, end in inner.values()) == size, layer
            off = [(begin + end) / 2 - start - cell * jump for cell, (begin, end) in inner.items()]
            # a cell may see to one side, all together they see to none
            assert abs(np.mean(off)) <= jump / 2, layer


def branches(net: Net) -> None:
    """Branches of unequal reach, joined along the channels."""
    stem = net.conv(2, (3, 3), strides=[2, 2], pads=[1] * 4)
    narrow = net.conv(2, (1, 1), stem)
    tall = net.conv(2, (5, 1), stem, pads=[2, 0, 2, 0])
    wide = net.conv(2, (1, 3), stem, pads=[0, 2, 0, 2], dilations=[1, 2])
    net.node("Concat", narrow, tall, wide, axis=1)
    net.channels[net.last] = 6


def uneven(net: Net) -> None:
    """Paddings that differ from side to side, and ends cut off."""
    net.add("Pad", net.last, net.constant(np.array([0, 0, 2, 1, 0, 0, 0, 3])))
    net.conv(2, (4, 2), auto_pad="SAME_UPPER", strides=[2, 1])
    net.add("MaxPool", kernel_shape=[2, 4], auto_pad="SAME_LOWER")
    starts, ends, axes = (net.constant(np.array(v)) for v in ([1, -6], [99, -1], [2, 3]))
    net.add("Slice", net.last, starts, ends, axes)


def shifted_branches(net: Net) -> None:
    """Two branches that look to different sides: the join sees both sides."""
    left = net.conv(2, (1, 3), pads=[0, 2, 0, 0])
    right = net.conv(2, (1, 3), "input/Transpose", pads=[0, 0, 0, 2])
    net.add("Add", left, right)


def overhanging(net: Net) -> None:
    """A pooling whose last windows hang over the border."""
    net.conv(2, (3, 3))
    net.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)


def squares(net: Net) -> None:
    """Squares of cells that become channels of one, as some nets begin."""
    net.conv(2, (3, 3), pads=[1] * 4)
    net.add("SpaceToDepth", blocksize=2)
    net.channels[net.last] = 8
    net.conv(2, (3, 3), pads=[1] * 4)


def attention(net: Net) -> None:
    """Squeeze and excitation: after it every cell sees the whole picture."""
    net.conv(4, (3, 3), strides=[2, 2], pads=[1] * 4)
    entry = net.last
    net.add("ReduceMean", entry, net.constant(np.array([2, 3])), keepdims=1)
    net.conv(4, (1, 1))
    net.add("Sigmoid")
    net.add("Add", entry, net.last)
    net.conv(2, (3, 3), pads=[1] * 4)


def flat_maps(net: Net) -> None:
    """Numbers that still see only their own window, then a layer that sees them all."""
    net.conv(2, (3, 3), strides=[3, 3])
    net.node("Flatten", net.last, axis=1)
    net.gemm(2 * 4 * 4, 5)


def flat_head(net: Net) -> None:
    """LeNet's way out: flatten, then fully connected layers."""
    net.conv(2, (3, 3), strides=[2, 2])
    net.add("BatchNormalization", net.last, *(net.weight(2) for _ in range(4)))
    net.node("Reshape", net.last, net.constant(np.array([-1, 2 * 5 * 6])))
    net.gemm(60, 5)
    net.node("Relu", net.last)


def enlarge(net: Net, factor: int, **how: object) -> str:
    """Make the last map so many times larger."""
    scales = net.constant(np.array([1, 1, factor, factor], np.float32))
    return net.add("Resize", net.last, "", scales, **how)


def transpose(net: Net, filters: int, kernel: int, **how: object) -> str:
    """Add a transposed convolution behind the last node."""
    weight = net.weight(net.channels[net.last], filters, kernel, kernel)
    output = net.node("ConvTranspose", net.last, weight, net.weight(filters), **how)
    net.channels[output] = filters
    return output


def hourglass(net: Net, **how: object) -> None:
    """Down twice and up twice, with what was there before joined in on the way up."""
    fine = net.conv(2, (3, 3), pads=[1] * 4)
    middle = net.conv(2, (3, 3), strides=[2, 2], pads=[1] * 4)
    net.conv(2, (3, 3), strides=[2, 2], pads=[1] * 4)
    for skip in (middle, fine):
        larger = enlarge(net, 2, **how)
        net.node("Concat", larger, skip, axis=1)
        net.channels[net.last] = 4
        net.conv(2, (3, 3), pads=[1] * 4)


def learned_hourglass(net: Net) -> None:
    """Up again by transposed convolutions, of kernel 2 and of kernel 4."""
    net.conv(2, (3, 3), strides=[2, 2], pads=[1] * 4)
    middle = net.conv(2, (3, 3), strides=[2, 2], pads=[1] * 4)
    transpose(net, 2, 2, strides=[2, 2])
    net.conv(2, (3, 3), pads=[1] * 4)
    other = net.last
    net.last = middle
    transpose(net, 2, 4, strides=[2, 2], pads=[1] * 4)
    net.add("Add", other, net.last)


def by_three_halves(net: Net) -> None:
    """A factor that is no whole number, told by sizes: neighbours share what they see by turns."""
    net.conv(2, (4, 4), strides=[3, 3], pads=[0, 0, 2, 2])
    sizes = net.constant(np.array([24, 24]))
    net.add("Resize", net.last, "", "", sizes, mode="linear", axes=[2, 3])
    net.conv(2, (2, 2))


def spread(net: Net) -> None:
    """Channels of one cell that become a square of cells, as sub-pixel convolutions end."""
    net.conv(8, (3, 3), strides=[2, 2], pads=[1] * 4)
    net.add("DepthToSpace", blocksize=2)
    net.channels[net.last] = 2
    net.conv(2, (3, 3), pads=[1] * 4)


FLOOR = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
BILINEAR = {"mode": "linear"}


@pytest.mark.parametrize(
    "build",
    [
        partial(hourglass, **FLOOR),
        hourglass,
        partial(hourglass, nearest_mode="ceil"),
        partial(hourglass, **BILINEAR),
        partial(hourglass, **BILINEAR, coordinate_transformation_mode="asymmetric"),
        learned_hourglass,
        by_three_halves,
        spread,
    ],
    ids=["floor", "nearest", "ceil", "linear", "asymmetric", "learned", "three-halves", "spread"],
)
def test_receptive_field_behind_an_upsampling_is_what_changes_the_cells(
    build: Callable[[Net], None],
) -> None:
    """The row tells the most that a cell sees, to the pixel."""
    net = Net(48, 48, 3)
    build(net)
    assert_most_is_seen(net.model(), 48, 48)


def test_nearest_enlargement_sees_what_its_source_does() -> None:
    """Twice as many cells at half the distance, and none sees more than before."""
    net = Net(16, 16, 3)
    net.conv(2, (4, 4), strides=[4, 4])
    enlarge(net, 2, **FLOOR)
    before, after = describe_layers(net.model()).layers[-2:]
    assert (before.receptive_field, before.jump, before.start) == ((4, 4), (4, 4), (2, 2))
    assert (after.receptive_field, after.jump, after.start) == ((4, 4), (2, 2), (1, 1))


@pytest.mark.parametrize(
    "how",
    [
        {"mode": "cubic"},
        {"coordinate_transformation_mode": "align_corners", "mode": "linear"},
    ],
)
def test_resampling_that_is_not_understood_claims_nothing(how: dict[str, str]) -> None:
    """Rather no receptive field than a wrong one."""
    net = Net(16, 16, 3)
    enlarge(net, 2, **how)
    assert describe_layers(net.model()).layers[-1].receptive_field is None


def test_transposed_convolution_with_holes_claims_nothing() -> None:
    """Where the stride leaves cells that see nothing, there is no telling."""
    net = Net(8, 8, 3)
    transpose(net, 2, 2, strides=[3, 3])
    assert describe_layers(net.model()).layers[-1].receptive_field is None


@pytest.mark.parametrize("factor", [(2, 2), (3, 2)])
@pytest.mark.parametrize("opset", [7, 9])
def test_upsample_of_old_files_is_understood(opset: int, factor: tuple[int, int]) -> None:
    """Before Resize there was Upsample, with its scales as an attribute or as an input."""
    net = Net(12, 12, 3)
    net.conv(2, (6, 6), strides=[6, 6])
    scales = [1.0, 1.0, *map(float, factor)]
    if opset == 9:
        net.add("Upsample", net.last, net.constant(np.array(scales, np.float32)), mode="nearest")
    else:
        net.add("Upsample", scales=scales, mode="nearest")
    model = net.model()
    model.opset_import[0].version = opset
    last = describe_layers(model).layers[-1]
    assert last.receptive_field == (6, 6)
    assert last.jump == (6 // factor[0], 6 // factor[1])


@pytest.mark.parametrize(
    "build", [branches, uneven, shifted_branches, overhanging, squares, flat_maps, flat_head]
)
def test_receptive_field_is_the_pixels_that_change_the_cell(
    build: Callable[[Net], None],
) -> None:
    """A pixel inside the predicted box alters the cell and no pixel outside does."""
    net = Net(12, 14, 3)
    build(net)
    assert_fields_are_seen(net.model(), 12, 14)


def test_receptive_field_of_a_residual_net_agrees_with_its_pixels() -> None:
    """Shortcut, join, global pooling and linear head are all held against real runs."""
    assert_fields_are_seen(residual_net(), 20, 16)


def test_global_context_lets_every_cell_see_the_whole_picture() -> None:
    """Behind a squeeze-and-excitation the cells keep their place and see everything."""
    net = Net(12, 14, 3)
    attention(net)
    last = describe_layers(net.model()).layers[-1]
    assert last.receptive_field == (12, 14)
    assert last.jump == (2, 2)
    assert seen_pixels(net.model(), 12, 14)[last.name].any(axis=2).all()


def test_pooling_over_the_whole_map_is_a_global_one() -> None:
    """Its single cell has no place and sees no more than there is."""
    net = Net(12, 14, 3)
    net.conv(2, (3, 3), pads=[1] * 4)
    net.add("AveragePool", kernel_shape=[12, 14])
    last = describe_layers(net.model()).layers[-1]
    assert (last.receptive_field, last.jump) == ((12, 14), None)


window = st.tuples(
    st.sampled_from(["Conv", "MaxPool", "AveragePool"]),
    st.integers(1, 4),  # kernel
    st.integers(1, 3),  # stride
    st.integers(1, 2),  # dilation
    st.integers(0, 1),  # padding at the beginning
    st.integers(0, 1),  # padding at the end
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(window, min_size=1, max_size=4))
def test_any_chain_of_windows_sees_what_its_row_says(
    chain: list[tuple[str, int, int, int, int, int]],
) -> None:
    """The arithmetic holds for windows that nobody would think of."""
    side, size = 18, 18
    net = Net(side, side, 3)
    for op, kernel, stride, dilation, begin, end in chain:
        assume(op == "Conv" or max(begin, end) < kernel)
        size = output_size(size, Window(kernel, stride, dilation, begin), end)
        assume(size >= 2)
        how = {
            "strides": [stride] * 2,
            "dilations": [dilation] * 2,
            "pads": [begin, begin, end, end],
        }
        if op == "Conv":
            net.conv(2, (kernel, kernel), **how)
        else:
            net.add(op, kernel_shape=[kernel] * 2, **how)
    last = describe_layers(net.model()).layers[-1]
    assert last.shape[1:] == (size, size)
    assert_fields_are_seen(net.model(), side, side)
