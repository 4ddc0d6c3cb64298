import numpy as np
import onnx
import pytest
from onnx import helper

from service.adopt.naming import readable_names, rename
from service.adopt.paths import node_paths
from tests.adopt.graphs import classifier, model, value


def path_of(node: onnx.NodeProto) -> str:
    (path,) = node_paths(onnx.GraphProto(node=[node]), [node])
    return path


@pytest.mark.parametrize(
    ("op", "name", "inputs", "output", "path"),
    [
        # torch.onnx.export without dynamo
        ("Conv", "/layer1/layer1.0/conv1/Conv", ["x", "onnx::Conv_7"], "y", "layer1.0.conv1"),
        ("Relu", "", ["x"], "/features/features.1/Relu_output_0", "features.1"),
        ("Conv", "/conv1/Conv", ["x", "conv1.weight"], "/conv1/Conv_output_0", "conv1"),
        ("Add", "/layer1/layer1.0/Add", ["x", "z"], "/layer1/layer1.0/Add_output_0", "layer1.0"),
        # tf2onnx
        ("Conv", "m/conv1/Conv2D", ["x", "m/conv1/Conv2D/ReadVariableOp:0"], "y:0", "m.conv1"),
        ("Relu", "StatefulPartitionedCall/resnet/b1/relu/Relu", ["x"], "y", "resnet.b1.relu"),
        # Caffe2, of which only the weights tell
        ("Conv", "n0", ["r0", "gpu_0/res2_0_branch2a_w_0"], "r1", "res2_0_branch2a"),
        ("BatchNormalization", "n1", ["r1", "conv1/bn_scale_0"], "r2", "conv1.bn"),
        # counted names
        ("Conv", "Conv_12", ["x", "193"], "194", "conv12"),
        ("Relu", "Relu@0", ["x"], "r", "relu0"),
        ("Conv", "", ["x", "193"], "194", "conv1"),
        ("MaxPool", "", ["x"], "pool5_x", "pool5_x"),
        # quantised
        ("QLinearConv", "/conv1/Conv_quant", ["x", "s", "z", "9_quantized"], "y", "conv1"),
    ],
)  # fmt: skip
def test_author_s_name_is_found(
    op: str, name: str, inputs: list[str], output: str, path: str
) -> None:
    """Every exporter keeps names in a place of its own; where there are none, operators count."""
    assert path_of(helper.make_node(op, inputs, [output], name=name)) == path


def test_names_are_the_same_whenever_a_file_is_read() -> None:
    """Nothing but the file decides, and no two tensors share a name."""
    first, again = (readable_names(classifier(), ["images"]) for _ in range(2))

    assert first == again
    assert len(set(first.values())) == len(first)
    assert first["a"] == "stem/Conv"
    assert first["c"] == "block.conv/Conv"


def test_taken_names_are_left_alone() -> None:
    """A tensor of the name that the composed graph's input has gets another."""
    nodes = [
        helper.make_node("Relu", ["images"], ["probabilities"]),
        helper.make_node("Add", ["probabilities", "mask"], ["logits"]),
    ]
    net = model(
        nodes, [value("images", ["n", 2])], [value("logits", None)], {"mask": np.float32(1)}
    )
    names = readable_names(net, ["images", "mask", "relu1/Relu"])

    assert names["mask"] == "mask_1"
    assert names["probabilities"] == "probabilities/Relu"
    assert names["images"] == "images_1"


def test_inner_graphs_follow_the_outer_names() -> None:
    """What a branch of an If reads from outside is called as it is called there."""
    inner = helper.make_graph(
        [helper.make_node("Neg", ["a"], ["new/Name"])], "then", [], [value("new/Name", None)]
    )
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner),
    ]
    net = model(nodes, [value("x", ["n", 2])], [value("y", None)], {"c": np.array(True)})
    rename(net.graph, {"a": "new/Name"})

    branch = net.graph.node[1].attribute[0].g
    assert branch.node[0].input[0] == "new/Name" == net.graph.node[0].output[0]
    assert branch.node[0].output[0] == branch.output[0].name != "new/Name"
