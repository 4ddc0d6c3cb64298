import numpy as np
import onnx
import pytest

from service.contract.errors import InvalidParameter
from service.graph.facts import Facts
from service.graph.suffix import cut_in_two
from service.tasks.reasons.halves import TwoHalves
from tests.onnx_graphs import Net, open_session, residual_net

IMAGES = np.random.default_rng(3).integers(0, 256, (1, 8, 8, 3), np.uint8)


def u_net() -> onnx.ModelProto:
    """Return a net with a skip connection past its bottleneck; scores (N, 2, 8, 8)."""
    net = Net(8, 8, 3)
    net.conv(4, (3, 3), name="stem/Conv", pads=[1] * 4)
    skip = net.add("Relu", name="stem/Relu")
    net.add("MaxPool", name="down/MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    net.conv(5, (3, 3), name="bottom/Conv", pads=[1] * 4)
    net.add("Relu", name="bottom/Relu")
    scales = net.constant(np.float32([1, 1, 2, 2]))
    up = net.add("Resize", net.last, "", scales, name="up/Resize")
    joined = net.node("Concat", up, skip, name="join/Concat", axis=1)
    net.channels[joined] = 9
    net.conv(2, (1, 1), name="scores/Conv")
    return net.model()


def counting_net() -> onnx.ModelProto:
    """Return a net whose flattening asks how many pictures there are, by their shape."""
    net = Net(8, 8, 3)
    net.conv(4, (3, 3), name="conv/Conv")
    relu = net.add("Relu", name="conv/Relu")
    shape = net.node("Shape", "images", name="flatten/Shape", start=0, end=1)
    rest = net.constant(np.array([4 * 36]))
    asked = net.node("Concat", shape, rest, name="flatten/Concat", axis=0)
    net.node("Reshape", relu, asked, name="flatten/Reshape")
    net.gemm(4 * 36, 3, name="scores/Gemm")
    return net.model()


def flattening_net(sizes: list[int]) -> onnx.ModelProto:
    """Return a net for one picture at a time, which flattens its map to `sizes`."""
    net = Net(8, 8, 3)
    net.inputs[0].type.tensor_type.shape.dim[0].dim_value = 1
    net.conv(4, (3, 3), name="conv/Conv")
    relu = net.add("Relu", name="conv/Relu")
    net.node("Reshape", relu, net.constant(np.array(sizes)), name="flatten/Reshape")
    net.gemm(144, 3, name="scores/Gemm")
    return net.model()


def inflexible_net() -> onnx.ModelProto:
    """Return a net that flattens a picture's map to just as many numbers, with no batch at all."""
    net = Net(8, 8, 3)
    net.inputs[0].type.tensor_type.shape.dim[0].dim_value = 1
    net.conv(4, (3, 3), name="conv/Conv")
    relu = net.add("Relu", name="conv/Relu")
    flat = net.node("Reshape", relu, net.constant(np.array([144])), name="flatten/Reshape")
    product = net.node("MatMul", flat, net.weight(144, 3), name="scores/MatMul")
    net.node("Reshape", product, net.constant(np.array([1, 3])), name="scores/Reshape")
    return net.model()


def halves_of(model: onnx.ModelProto, tap: str) -> TwoHalves:
    scores = model.graph.output[0].name
    halves = cut_in_two(model, Facts(model), tap, scores)
    before, after = open_session(halves.before), open_session(halves.after)
    return TwoHalves(before, after, "images", tap, scores, halves.sides, size_bytes=0)


def silenced(model: onnx.ModelProto, tap: str, channel: int) -> np.ndarray:
    """Return the scores of the whole graph with a channel of the tap multiplied by zero."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    channels = Facts(model).size(tap, 1) or 0
    mask = np.ones((channels, 1, 1), np.float32)
    mask[channel] = 0
    changed.graph.initializer.append(onnx.numpy_helper.from_array(mask, "mask"))
    for node in changed.graph.node:
        for place, name in enumerate(node.input):
            if name == tap:
                node.input[place] = "silenced"
    maker = next(i for i, node in enumerate(changed.graph.node) if tap in node.output)
    changed.graph.node.insert(maker + 1, onnx.helper.make_node("Mul", [tap, "mask"], ["silenced"]))
    return open_session(changed.SerializeToString())({"images": IMAGES})[model.graph.output[0].name]


@pytest.mark.parametrize(
    ("model", "tap", "sides"),
    [
        (u_net(), "bottom/Relu", ("stem/Relu",)),
        (u_net(), "down/MaxPool", ("stem/Relu",)),
        (u_net(), "stem/Relu", ()),
        (counting_net(), "conv/Relu", ("flatten/Concat",)),
        (flattening_net([1, 144]), "conv/Relu", ()),
        (flattening_net([1, -1]), "conv/Relu", ()),
    ],
)
def test_halves_give_what_the_graph_gives_with_a_channel_silenced(
    model: onnx.ModelProto, tap: str, sides: tuple[str, ...]
) -> None:
    """All channels in one batch, with what passes the tap by as it was; so ablation is exact."""
    halves = halves_of(model, tap)
    assert halves.sides == sides
    halfway = halves.begin(IMAGES)
    assert halfway.together
    channels = len(halfway.maps)
    batch = np.repeat(halfway.maps[None], channels, axis=0)
    batch[np.arange(channels), np.arange(channels)] = 0
    scores = halfway.scores(batch)
    for channel in range(channels):
        expected = silenced(model, tap, channel)[0]
        np.testing.assert_allclose(scores[channel], expected, rtol=1e-5)


def test_graph_for_one_item_only_is_run_one_by_one() -> None:
    """A shape that cannot be freed of its batch costs time, not the answer."""
    model = inflexible_net()
    halfway = halves_of(model, "conv/Relu").begin(IMAGES)
    assert not halfway.together
    batch = np.repeat(halfway.maps[None], 3, axis=0)
    batch[[0, 1, 2], [0, 1, 2]] = 0
    scores = halfway.scores(batch)
    for channel in range(3):
        expected = silenced(model, "conv/Relu", channel)[0]
        np.testing.assert_allclose(scores[channel], expected, rtol=1e-5)


def test_runs_are_counted() -> None:
    """One to the tap, one and two copies behind it to try, then one an item."""
    halfway = halves_of(u_net(), "bottom/Relu").begin(IMAGES)
    assert halfway.runs == 1 + 1 + 2
    halfway.scores(np.repeat(halfway.maps[None], 7, axis=0))
    assert halfway.runs == 4 + 7


def test_layer_that_the_scores_do_not_depend_on_is_refused() -> None:
    """Nothing behind it could be silenced."""
    model = residual_net()
    model.graph.node.append(onnx.helper.make_node("Relu", ["stem/Conv"], ["aside"]))
    with pytest.raises(InvalidParameter, match="no part in the answer"):
        cut_in_two(model, Facts(model), "aside", "fc/Gemm")


def test_cutting_leaves_the_model_as_it_is() -> None:
    """Other layers are cut from the same graph later."""
    model = flattening_net([1, 144])
    before = model.SerializeToString(deterministic=True)
    cut_in_two(model, Facts(model), "conv/Relu", "scores/Gemm")
    assert model.SerializeToString(deterministic=True) == before
