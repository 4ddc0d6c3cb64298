from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from service.graph.layers import describe_layers
from service.graph.prefix import cut_prefix
from service.runtime import open_session
from tests.adopt.added import ZERO_ONE, added, assert_maps_are_those_of_the_whole
from tests.adopt.graphs import SIDE, classifier, save, value


def pictures() -> np.ndarray:
    return np.random.default_rng(8).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)


def with_branch() -> onnx.ModelProto:
    """The net with a ReLU that is in both branches of an If, which reads from outside."""
    net = classifier()
    (relu,) = (node for node in net.graph.node if node.output[0] == "d")
    inside = helper.make_node("Relu", ["c"], ["inside"])
    branch = helper.make_graph([inside], "branch", [], [value("inside", None)])
    relu.CopyFrom(helper.make_node("If", ["yes"], ["d"], then_branch=branch, else_branch=branch))
    net.graph.initializer.append(onnx.numpy_helper.from_array(np.array(True), "yes"))
    return net


def with_loop() -> onnx.ModelProto:
    """The net with a ReLU that a Loop does three times."""
    net = classifier()
    (relu,) = (node for node in net.graph.node if node.output[0] == "d")
    body = helper.make_graph(
        [
            helper.make_node("Relu", ["state"], ["next"]),
            helper.make_node("Identity", ["on"], ["still"]),
        ],
        "body",
        [
            value("turn", [], TensorProto.INT64),
            value("on", [], TensorProto.BOOL),
            value("state", None),
        ],
        [value("still", [], TensorProto.BOOL), value("next", None)],
    )
    relu.CopyFrom(helper.make_node("Loop", ["three", "", "c"], ["d"], body=body))
    net.graph.initializer.append(onnx.numpy_helper.from_array(np.array(3), "three"))
    return net


def with_function() -> onnx.ModelProto:
    """The net with a ReLU in a function of the file's own."""
    net = classifier()
    (relu,) = (node for node in net.graph.node if node.output[0] == "d")
    relu.op_type, relu.domain = "Activation", "own"
    net.opset_import.append(helper.make_opsetid("own", 1))
    opsets = [helper.make_opsetid("", 17)]
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    net.functions.append(helper.make_function("own", "Activation", ["x"], ["y"], nodes, opsets))
    return net


def test_branches_loops_and_functions_are_served(tmp_path: Path) -> None:
    """They answer as the same net without them, and maps before and behind them are true."""
    answers = []
    for make in (classifier, with_branch, with_loop, with_function):
        folder = tmp_path / make.__name__
        folder.mkdir()
        one = added(save(folder, make()), folder, *ZERO_ONE)
        answers.append(one.run(pictures())["probabilities"])
        taps = {tap.name: tap.shape for tap in one.manifest.graph.taps}
        assert taps["stem/Conv"] == (6, SIDE // 2, SIDE // 2)
        assert taps["globalaveragepool1/GlobalAveragePool"] == (8, 1, 1)
        assert_maps_are_those_of_the_whole(one, count=5)

    for answer in answers[1:]:
        np.testing.assert_allclose(answer, answers[0], atol=1e-6)


def test_function_is_looked_into(tmp_path: Path) -> None:
    """What is in a function is a layer like others, with its receptive field."""
    one = added(save(tmp_path, with_function()), tmp_path, *ZERO_ONE)

    taps = {tap.name: tap for tap in one.manifest.graph.taps}
    relus = [tap for tap in taps.values() if tap.op == "Relu"]
    assert len(relus) == 2
    assert all(tap.receptive_field for tap in taps.values())


def test_layers_before_a_branch_are_described() -> None:
    """The way to the output leads through what a branch reads from outside of it."""
    names = [layer.name for layer in describe_layers(with_branch()).layers]

    assert names[:3] == ["a", "b", "c"]


def test_prefix_behind_a_branch_keeps_what_it_reads() -> None:
    """A prefix that ends in a branch has the weights and nodes that the branch needs."""
    prefix = cut_prefix(with_branch(), "d")

    session = open_session(prefix, "prefix")
    numbers = np.ones((1, 3, SIDE, SIDE), np.float32)
    assert session.run({"pictures": numbers})["d"].shape == (1, 8, SIDE // 2, SIDE // 2)
