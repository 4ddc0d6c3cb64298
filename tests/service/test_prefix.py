import numpy as np
import onnx
import pytest

from service.graph.layers import describe_layers
from service.graph.prefix import cut_prefix
from tests.onnx_graphs import Net, open_session, residual_net, run_all_taps


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (2, 20, 16, 3), np.uint8)


def test_prefix_gives_what_the_whole_graph_computes_there(images: np.ndarray) -> None:
    """Every tap, the graph's output among them, is the same tensor in its prefix."""
    model = residual_net()
    whole = run_all_taps(model, images)
    assert "fc/Gemm" in whole
    for name, expected in whole.items():
        values = open_session(cut_prefix(model, name))({"images": images})
        assert list(values) == [name]
        np.testing.assert_allclose(values[name], expected, rtol=1e-5)


def test_prefix_holds_only_what_it_needs() -> None:
    """Nodes and weights of the branches not taken stay behind."""
    prefix = onnx.load_from_string(cut_prefix(residual_net(), "block.shortcut/Conv"))
    assert [node.op_type for node in prefix.graph.node][3:] == ["Conv", "Relu", "Conv"]
    assert len(prefix.graph.initializer) == 1 + 2 * 2
    onnx.checker.check_model(prefix.SerializeToString(), full_check=False)


def test_cutting_leaves_the_model_as_it_was() -> None:
    """The model can be cut again and again."""
    model = residual_net()
    before = model.SerializeToString(deterministic=True)
    assert cut_prefix(model, "block/Add") == cut_prefix(model, "block/Add")
    assert model.SerializeToString(deterministic=True) == before


def test_names_read_inside_a_branch_come_along() -> None:
    """An If reads tensors of the graph around it without listing them as inputs."""
    net = Net(4, 4, 3)
    conv = net.conv(2, (1, 1), name="conv/Conv")
    bodies = {}
    for branch, op in (("then_branch", "Relu"), ("else_branch", "Neg")):
        node = onnx.helper.make_node(op, [conv], [f"{branch}_result"])
        result = onnx.helper.make_tensor_value_info(f"{branch}_result", 1, None)
        bodies[branch] = onnx.helper.make_graph([node], branch, [], [result])
    net.node("If", net.constant(np.array(True)), name="choice/If", **bodies)
    net.node("Sigmoid", "choice/If", name="after/Sigmoid")
    images = np.full((1, 4, 4, 3), 9, np.uint8)
    values = open_session(cut_prefix(net.model(), "choice/If"))({"images": images})["choice/If"]
    assert values.shape == (1, 2, 4, 4)
    assert (values > 0).all()


def test_prefix_of_a_half_precision_tensor_keeps_its_type() -> None:
    """The declared type of the new output is the tensor's own."""
    net = Net(4, 4, 3)
    net.add("Cast", name="half/Cast", to=onnx.TensorProto.FLOAT16)
    net.add("Cast", name="full/Cast", to=onnx.TensorProto.FLOAT)
    model = net.model()
    assert "half/Cast" in {layer.name for layer in describe_layers(model).layers}
    session = open_session(cut_prefix(model, "half/Cast"))
    values = session({"images": np.full((1, 4, 4, 3), 255, np.uint8)})["half/Cast"]
    assert values.dtype == np.float16


def test_unknown_tensor_is_refused() -> None:
    """There is nothing to cut at a name that no node makes, such as an input."""
    for name in ("nonsense", "images"):
        with pytest.raises(KeyError):
            cut_prefix(residual_net(), name)
