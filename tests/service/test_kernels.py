"""The filters of a layer, whatever way a file holds them."""

from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from service.contract.errors import InvalidParameter
from service.contract.specs import ImagePreprocessing
from service.tasks.features import FeatureMaps
from service.tasks.kernel_mosaic import render_kernels
from service.tasks.kernels import Kernels, read_kernels
from tests.onnx_graphs import Net, open_session, residual_net, write_graph

SIDE = 12
SPEC = ImagePreprocessing(
    color="rgb", resize="squash", height=SIDE, width=SIDE, mean=(0,) * 3, std=(1,) * 3
)
RANDOM = np.random.default_rng(0)
RED, BLUE = (178, 24, 43), (33, 102, 172)


def kernels_of(
    model: onnx.ModelProto, folder: Path, layer: str | None = None, spec: object = SPEC
) -> Kernels:
    file, graph = write_graph(model, folder)
    features = FeatureMaps(
        partial(onnx.load, file), graph, open_session, max_prefixes=4, size=(SIDE, SIDE)
    )
    return read_kernels(features, layer, spec)


def normal(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def conv(net: Net, weight: str, filters: int, source: str = "", **how: object) -> None:
    """Add a convolution with these weights, called `conv/Conv`."""
    source = source or net.last
    net.node("Conv", source, weight, name="conv/Conv", **how)
    net.channels["conv/Conv"] = filters


def test_filters_are_the_weights_of_the_convolution(tmp_path: Path) -> None:
    """Unset, the layer is the first convolution; its filters read the colours in their order."""
    net, weights = Net(SIDE, SIDE, 3), normal(5, 3, 3, 3)
    conv(net, net.constant(weights), 5)
    found = kernels_of(net.model(), tmp_path)
    assert (found.layer, found.op, found.colors) == ("conv/Conv", "Conv", (0, 1, 2))
    np.testing.assert_array_equal(found.values, weights)


def test_half_precision_is_read(tmp_path: Path) -> None:
    """Cast in the graph or not, the values are those of the file, as float32."""
    net, weights = Net(SIDE, SIDE, 3), normal(5, 3, 3, 3).astype(np.float16)
    half = net.node("Cast", net.last, name="half/Cast", to=TensorProto.FLOAT16)
    conv(net, net.constant(weights), 5, half)
    net.node("Cast", net.last, name="out/Cast", to=TensorProto.FLOAT)
    found = kernels_of(net.model(), tmp_path, "conv")
    assert found.values.dtype == np.float32
    np.testing.assert_array_equal(found.values, weights)
    assert found.colors == (0, 1, 2)


def test_weights_of_8_bits_between_quantisation_are_scaled(tmp_path: Path) -> None:
    """QDQ, a scale a filter; asked for by the layer's float output, which comes after."""
    net = Net(SIDE, SIDE, 3)
    source = net.last
    integers = RANDOM.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)
    scales = np.float32([0.5, 0.1, 2, 0.25])
    weights = net.node(
        "DequantizeLinear", net.constant(integers), net.constant(scales), name="weights", axis=0
    )
    conv(net, weights, 4, source)
    step, zero = net.constant(np.float32(9)), net.constant(np.uint8(128))
    net.node("QuantizeLinear", net.last, step, zero, name="conv/QuantizeLinear")
    net.node("DequantizeLinear", net.last, step, zero, name="conv/DequantizeLinear")
    net.channels[net.last] = 4
    found = kernels_of(net.model(), tmp_path, "conv/DequantizeLinear")
    assert found.op == "Conv"
    np.testing.assert_allclose(found.values, integers * scales[:, None, None, None], rtol=1e-6)


@pytest.mark.parametrize("per_filter", [True, False])
def test_weights_of_integer_operators_are_scaled(tmp_path: Path, per_filter: bool) -> None:
    """QLinearConv: (weight - zero point) * scale, of each filter or of all."""
    net = Net(SIDE, SIDE, 3)
    integers = RANDOM.integers(0, 256, (4, 3, 2, 2)).astype(np.uint8)
    scales = np.float32([0.5, 0.1, 2, 0.25]) if per_filter else np.float32(0.5)
    zeros = np.uint8([128, 0, 7, 255]) if per_filter else np.uint8(128)
    ends = [net.constant(np.float32(1 / 255)), net.constant(np.uint8(0))]
    source = net.node("QuantizeLinear", net.last, *ends)
    weight = [net.constant(part) for part in (integers, scales, zeros)]
    output = [net.constant(np.float32(5)), net.constant(np.uint8(128))]
    net.node("QLinearConv", source, *ends, *weight, *output, name="conv/QLinearConv")
    net.node("DequantizeLinear", net.last, *output, name="conv/DequantizeLinear")
    net.channels[net.last] = 4
    found = kernels_of(net.model(), tmp_path)
    along = scales.reshape(-1, 1, 1, 1), zeros.reshape(-1, 1, 1, 1).astype(np.float32)
    np.testing.assert_allclose(found.values, (integers - along[1]) * along[0], rtol=1e-6)
    assert found.colors == (0, 1, 2)


def test_weights_that_are_computed_from_constants_are_computed(tmp_path: Path) -> None:
    """Such as normalised weights: a direction times a length."""
    net, direction = Net(SIDE, SIDE, 3), normal(5, 3, 3, 3)
    source = net.last
    length = np.float32([1, 2, 3, 4, 5]).reshape(-1, 1, 1, 1)
    weights = net.node("Mul", net.constant(direction), net.constant(length), name="weights")
    conv(net, weights, 5, source)
    found = kernels_of(net.model(), tmp_path, "conv")
    np.testing.assert_allclose(found.values, direction * length, rtol=1e-6)


def test_weights_in_a_constant_node_are_read(tmp_path: Path) -> None:
    """Old exporters wrote them so."""
    net, weights = Net(SIDE, SIDE, 3), normal(2, 3, 1, 1)
    value = onnx.numpy_helper.from_array(weights)
    net.nodes.insert(0, helper.make_node("Constant", [], ["weights"], value=value))
    conv(net, "weights", 2)
    np.testing.assert_array_equal(kernels_of(net.model(), tmp_path, "conv").values, weights)


def test_weights_that_depend_on_the_picture_are_refused(tmp_path: Path) -> None:
    """A dynamic convolution has no filters to show; the message says why."""
    net = Net(SIDE, SIDE, 3)
    source = net.last
    mean = net.node("ReduceMean", source, net.constant(np.array([0, 2, 3])), keepdims=1)
    net.node("Mul", mean, net.constant(normal(5, 3, 3, 3)), name="weights")
    conv(net, "weights", 5, source)
    with pytest.raises(InvalidParameter, match="they are computed from the input"):
        kernels_of(net.model(), tmp_path, "conv")


def test_transposed_convolution_has_a_filter_an_output(tmp_path: Path) -> None:
    """Held against what a single bright cell of one input becomes: the filter itself."""
    net, groups = Net(SIDE, SIDE, 3), 2
    source = net.conv(4, (1, 1), name="first/Conv")
    weights = normal(4, 3, 2, 2)  # (I, O / groups, ...)
    net.node(
        "ConvTranspose", source, net.constant(weights), name="up/ConvTranspose",
        strides=[2, 2], group=groups,
    )  # fmt: skip
    net.channels[net.last] = 6
    found = kernels_of(net.model(), tmp_path, "up")
    assert found.values.shape == (6, 2, 2, 2)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], group=groups)],
        "one",
        [value("x", TensorProto.FLOAT, [1, 4, 1, 1])],
        [value("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    alone = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)])
    session = open_session(alone.SerializeToString())
    for channel in range(4):
        bright = np.zeros((1, 4, 1, 1), np.float32)
        bright[0, channel] = 1
        (impulse,) = session({"x": bright})["y"]
        group = slice(channel // 2 * 3, channel // 2 * 3 + 3)
        np.testing.assert_allclose(found.values[group, channel % 2], impulse[group], rtol=1e-6)


@pytest.mark.parametrize("order", [(2, 1, 0), (1, 2, 0)])
def test_colours_are_found_in_any_order(tmp_path: Path, order: tuple[int, ...]) -> None:
    """A net that wants blue first, and a mean taken away, still shows which channel is red."""
    net = Net(SIDE, SIDE, 3)
    net.node("Gather", net.last, net.constant(np.array(order)), axis=1)
    net.node("Sub", net.last, net.constant(np.float32([[[[0.4]], [[0.5]], [[0.3]]]])))
    conv(net, net.constant(normal(5, 3, 3, 3)), 5)
    assert kernels_of(net.model(), tmp_path).colors == tuple(
        order.index(color) for color in range(3)
    )


def test_three_channels_that_are_no_colours_are_not_shown_as_such(tmp_path: Path) -> None:
    """Behind another layer they mean something else."""
    net = Net(SIDE, SIDE, 3)
    net.conv(3, (1, 1), name="mix/Conv")
    conv(net, net.constant(normal(5, 3, 3, 3)), 5)
    model = net.model()
    assert kernels_of(model, tmp_path, "mix").colors == (0, 1, 2)
    assert kernels_of(model, tmp_path, "conv").colors is None


def test_linear_layer_and_filterbank_have_a_row_an_output(tmp_path: Path) -> None:
    """Whichever side of the product the matrix stands on, and turned or not."""
    net, matrix = Net(2, 2, 3), normal(6, 12)
    net.node("Flatten", net.last, name="flat/Flatten")
    net.node("Gemm", "flat/Flatten", net.constant(matrix), name="turned/Gemm", transB=1)
    net.node("Gemm", "flat/Flatten", net.constant(matrix.T), name="plain/Gemm")
    net.node("MatMul", "flat/Flatten", net.constant(matrix.T), name="right/MatMul")
    net.node("Transpose", "flat/Flatten", name="column", perm=[1, 0])
    net.node("MatMul", net.constant(matrix), "column", name="left/MatMul")
    net.node("Transpose", net.last, name="left/Transpose", perm=[1, 0])
    names = ("turned/Gemm", "plain/Gemm", "right/MatMul", "left/Transpose")
    model = net.model(*names)
    for name in names:
        found = kernels_of(model, tmp_path, name)
        np.testing.assert_array_equal(found.values, matrix[:, None], err_msg=name)


def test_layer_without_filters_is_told_some_that_have(tmp_path: Path) -> None:
    """The message names convolutions."""
    with pytest.raises(
        InvalidParameter, match=r"'block/Add' \(Add\) has no filters\. These have: stem/Conv, "
    ):
        kernels_of(residual_net(), tmp_path, "block/Add")


def pixels(values: np.ndarray, colors: tuple[int, int, int] | None = None) -> np.ndarray:
    kernels = Kernels("layer/Conv", "Conv", values.astype(np.float32), colors)
    png = render_kernels(kernels, range(len(values)))
    return np.asarray(Image.open(BytesIO(png)))[96:]


def area(picture: np.ndarray, color: tuple[int, int, int]) -> int:
    return int((picture == color).all(axis=-1).sum())


def test_filter_that_likes_red_is_drawn_red() -> None:
    """Gray is zero; the colours are where the file's first layer has them."""
    values = np.zeros((1, 3, 2, 2))
    values[0, 2, 0, 0] = 4  # red is the last channel of this net
    values[0, :, 1, 1] = -4
    picture = pixels(values, colors=(2, 1, 0))
    red, gray = (255, 128, 128), (128, 128, 128)
    assert area(picture, red) == area(picture, (0, 0, 0)) > 1000
    assert area(picture, gray) == 2 * area(picture, red)


def test_other_filters_show_each_slice_in_one_scale() -> None:
    """White is zero; the strongest weight of all has the strongest colour."""
    values = np.zeros((2, 4, 3, 3))
    values[0, 1, 0, 0], values[1, 3, 2, 2] = 2, -2
    picture = pixels(values)
    white = (247, 247, 247)
    assert area(picture, RED) == area(picture, BLUE) > 0
    assert area(picture, white) == 70 * area(picture, RED)


@pytest.mark.parametrize(
    "shape",
    [(64, 3, 7, 7), (64, 64, 3, 3), (32, 1, 3, 3), (256, 64, 1, 1), (40, 1, 129), (1, 1, 512),
     (16, 8, 9), (10, 1, 256), (1, 1, 1, 1)],
)  # fmt: skip
def test_any_filters_fit_the_picture(shape: tuple[int, ...]) -> None:
    """No side passes 2048 pixels."""
    assert max(pixels(normal(*shape)).shape) <= 2048


def test_too_many_filters_are_refused() -> None:
    """The message says how to ask for fewer."""
    with pytest.raises(InvalidParameter, match="channels="):
        pixels(normal(512, 512, 3, 3))
