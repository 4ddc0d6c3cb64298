from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from service.graph.facts import Facts
from service.graph.head import find_head, scores_behind
from tests.onnx_graphs import Net, residual_net

IMAGES = np.random.default_rng(5).integers(0, 256, (1, 9, 7, 3), np.uint8)


def start() -> Net:
    net = Net(9, 7, 3)
    net.conv(4, (3, 3), name="conv/Conv")
    net.add("Relu", name="relu/Relu")
    return net


def pooled_and_scaled() -> onnx.ModelProto:
    """GlobalAveragePool, Flatten, Dropout, Gemm, and a scale behind it."""
    net = start()
    net.add("GlobalAveragePool")
    net.node("Flatten", net.last)
    net.node("Dropout", net.last)
    net.gemm(4, 5)
    net.node("Mul", net.constant(np.float32(0.125)), net.last)
    return net.model()


def mean_and_matmul() -> onnx.ModelProto:
    """ReduceMean without the axes, MatMul and Add, a factor and a shift a class."""
    net = start()
    net.node("ReduceMean", net.last, net.constant(np.array([-1, 2])), keepdims=0)
    net.node("MatMul", net.last, net.weight(4, 5))
    net.node("Add", net.last, net.weight(5))
    net.node("Div", net.last, net.weight(1, 5))
    net.node("Sub", net.last, net.weight(5))
    return net.model()


def whole_window_and_conv() -> onnx.ModelProto:
    """AveragePool over the whole map, a convolution of one cell, and a Reshape."""
    net = start()
    net.add("AveragePool", kernel_shape=[7, 5])
    net.conv(5, (1, 1))
    net.node("Reshape", net.last, net.constant(np.array([0, 5])))
    return net.model()


def window_over_the_edge() -> onnx.ModelProto:
    """A window larger than the map, with padding that does not count, as in Caffe's GoogLeNet."""
    net = start()
    net.add("AveragePool", kernel_shape=[8, 6], pads=[0, 0, 1, 1])
    net.node("Flatten", net.last)
    net.gemm(4, 5)
    return net.model()


def two_layers_and_no_bend() -> onnx.ModelProto:
    """Two linear layers with nothing between them are one."""
    net = start()
    net.add("GlobalAveragePool")
    net.node("Flatten", net.last)
    net.gemm(4, 6)
    net.gemm(6, 5)
    return net.model()


def channels_last() -> onnx.ModelProto:
    """The mean over rows and columns of a map that was turned to channels last."""
    net = start()
    net.node("Transpose", net.last, perm=[0, 2, 3, 1])
    net.node("ReduceMean", net.last, net.constant(np.array([1, 2])), keepdims=0)
    net.gemm(4, 5)
    return net.model()


def class_maps() -> onnx.ModelProto:
    """As in SqueezeNet the pooled map has a channel a class, and nothing follows."""
    net = start()
    net.add("GlobalAveragePool")
    net.node("Flatten", net.last)
    return net.model()


def weights_made_of_constants() -> onnx.ModelProto:
    """The weights are 8-bit integers with a scale, as in quantised files."""
    net = start()
    net.add("GlobalAveragePool")
    net.node("Flatten", net.last)
    flat = net.last
    steps = net.constant(np.arange(-10, 10, dtype=np.int8).reshape(4, 5))
    net.node("DequantizeLinear", steps, net.constant(np.float32(0.25)))
    net.node("MatMul", flat, net.last)
    return net.model()


@pytest.mark.parametrize(
    "make",
    [
        pooled_and_scaled,
        mean_and_matmul,
        whole_window_and_conv,
        window_over_the_edge,
        two_layers_and_no_bend,
        channels_last,
        class_maps,
        weights_made_of_constants,
    ],
)
def test_scores_are_the_weights_times_the_mean_of_the_map(
    make: Callable[[], onnx.ModelProto],
) -> None:
    """But for a constant: what two pictures' scores differ by says so, whatever the head's form."""
    model = make()
    scores = model.graph.output[0].name
    head = find_head(model, Facts(model), scores)
    assert head is not None
    assert head.tap == "relu/Relu"
    model.graph.output.add(name=head.tap)
    two = np.stack([IMAGES[0], 255 - IMAGES[0]])
    names = [output.name for output in model.graph.output]
    run = dict(zip(names, ReferenceEvaluator(model).run(None, {"images": two}), strict=True))
    means = run[head.tap].mean(axis=(2, 3), dtype=np.float64)
    difference = head.weights @ (means[0] - means[1])
    np.testing.assert_allclose(run[scores][0] - run[scores][1], difference, rtol=1e-4, atol=1e-5)


def max_pooled() -> onnx.ModelProto:
    net = start()
    net.add("GlobalMaxPool")
    net.node("Flatten", net.last)
    net.gemm(4, 5)
    return net.model()


def hidden_layer() -> onnx.ModelProto:
    net = start()
    net.add("GlobalAveragePool")
    net.node("Flatten", net.last)
    net.gemm(4, 6)
    net.node("Relu", net.last)
    net.gemm(6, 5)
    return net.model()


def no_pooling() -> onnx.ModelProto:
    net = start()
    net.node("Flatten", net.last)
    net.gemm(4 * 35, 5)
    return net.model()


def rows_only() -> onnx.ModelProto:
    net = start()
    net.node("ReduceMean", net.last, net.constant(np.array([2])), keepdims=0)
    net.node("Flatten", net.last)
    net.gemm(20, 5)
    return net.model()


def window_that_is_no_mean_of_all() -> onnx.ModelProto:
    net = start()
    net.add("AveragePool", kernel_shape=[3, 3], strides=[2, 2])
    net.node("Flatten", net.last)
    net.gemm(4 * 6, 5)
    return net.model()


def padding_that_counts() -> onnx.ModelProto:
    net = start()
    net.add("AveragePool", kernel_shape=[8, 6], pads=[0, 0, 1, 1], count_include_pad=1)
    net.node("Flatten", net.last)
    net.gemm(4, 5)
    return net.model()


@pytest.mark.parametrize(
    "make",
    [
        padding_that_counts,
        max_pooled,
        hidden_layer,
        no_pooling,
        rows_only,
        window_that_is_no_mean_of_all,
    ],
)
def test_other_heads_are_none(make: Callable[[], onnx.ModelProto]) -> None:
    """Where the scores are not linear in the mean of a map there are no class activation maps."""
    model = make()
    assert find_head(model, Facts(model), model.graph.output[0].name) is None


def test_scores_lie_before_the_softmax() -> None:
    """Or are the probabilities themselves, where no softmax makes them."""
    net = start()
    net.add("GlobalAveragePool")
    logits = net.node("Flatten", net.last)
    net.node("Softmax", logits)
    probabilities = net.node("Identity", net.last)
    assert scores_behind(net.model(), probabilities) == logits
    model = residual_net()
    assert scores_behind(model, "fc/Gemm") == "fc/Gemm"


def test_weights_of_a_real_gemm_are_those_of_the_file() -> None:
    """Row for row, in double precision."""
    model = residual_net()
    weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    gemm = next(node for node in model.graph.node if node.op_type == "Gemm")
    head = find_head(model, Facts(model), "fc/Gemm")
    assert head is not None
    np.testing.assert_array_equal(head.weights, weights[gemm.input[1]])
