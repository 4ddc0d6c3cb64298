from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from tests.adopt.added import ZERO_ONE, Added, added, assert_maps_are_those_of_the_whole
from tests.adopt.graphs import CLASSES, SIDE, classifier, save

MEAN, STD = np.array([0.1, 0.2, 0.3]), np.array([0.5, 0.6, 0.7])
NUMBERS = ("--mean", "0.1,0.2,0.3", "--std", "0.5,0.6,0.7")


def pictures(count: int) -> np.ndarray:
    shape = (count, SIDE, SIDE, 3)
    return np.random.default_rng(7).integers(0, 256, shape, np.uint8)


def expected(model: onnx.ModelProto, numbers: np.ndarray) -> np.ndarray:
    """Probabilities as ONNX's own reference gives them, one picture after the other."""
    kind = helper.tensor_dtype_to_np_dtype(model.graph.input[0].type.tensor_type.elem_type)
    # the reference knows neither old opsets nor weights among the inputs
    model = onnx.ModelProto.FromString(model.SerializeToString())
    model.opset_import[0].version = max(13, model.opset_import[0].version)
    run = ReferenceEvaluator(model).run
    logits = np.concatenate(
        [run(None, {"pictures": item[None].astype(kind)})[0] for item in numbers]
    ).astype(np.float64)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def assert_answers(one: Added, wanted: np.ndarray, images: np.ndarray, error: float = 1e-5) -> None:
    answer = one.run(images)["probabilities"]
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, wanted, atol=error)


@pytest.mark.parametrize(
    ("opset", "ir_version"),
    [
        *((7, 3), (8, 3), (9, 4), (10, 5), (11, 6), (12, 7), (13, 7), (15, 8)),
        *((17, 8), (18, 8), (19, 9), (20, 9), (21, 10), (22, 10), (23, 11)),
    ],
)
def test_every_opset_is_served(tmp_path: Path, opset: int, ir_version: int) -> None:
    """From opset 7 with weights among the inputs to 23, answers are those of the original."""
    model = classifier(opset, ir_version)
    one = added(save(tmp_path, model), tmp_path, *NUMBERS)

    images = pictures(4)
    numbers = ((images / 255 - MEAN) / STD).transpose(0, 3, 1, 2)
    assert_answers(one, expected(model, numbers), images)
    assert one.manifest.graph.opset == opset
    assert_maps_are_those_of_the_whole(one)


@pytest.mark.parametrize(
    ("kind", "precision", "error"),
    [
        (TensorProto.FLOAT, "float32", 1e-5),
        (TensorProto.FLOAT16, "float16", 2e-2),
    ],
)
def test_every_float_is_served(tmp_path: Path, kind: int, precision: str, error: float) -> None:
    """Inputs, weights and outputs of other floats: pictures go in, float32 comes out."""
    model = classifier(kind=kind)
    one = added(save(tmp_path, model), tmp_path, *NUMBERS)

    images = pictures(2)
    numbers = ((images / 255 - MEAN) / STD).transpose(0, 3, 1, 2)
    assert_answers(one, expected(model, numbers), images, error)
    assert one.manifest.graph.precision == precision
    assert_maps_are_those_of_the_whole(one)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_layout_and_order_of_channels_are_met(tmp_path: Path, last: bool, order: str) -> None:
    """Channels first or last, red or blue first: mean and std are in the net's own order."""
    model = classifier(last=last)
    one = added(save(tmp_path, model), tmp_path, *NUMBERS, "--channel-order", order)

    images = pictures(2)
    seen = images[..., ::-1] if order == "bgr" else images
    numbers = (seen / 255 - MEAN) / STD
    wanted = expected(model, numbers if last else numbers.transpose(0, 3, 1, 2))
    assert_answers(one, wanted, images)
    assert f"layout         {'NHWC' if last else 'NCHW'}" in one.told
    assert one.manifest.preprocessing.mean == pytest.approx(
        tuple(MEAN[::-1] if order == "bgr" else MEAN)
    )
    assert_maps_are_those_of_the_whole(one)


def test_doubles_go_in(tmp_path: Path) -> None:
    """A graph that takes doubles and casts them gets doubles."""
    cast = helper.make_node("Cast", ["pictures"], ["scaled"], to=TensorProto.FLOAT)
    model = classifier(extra=[cast])
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    one = added(save(tmp_path, model), tmp_path, *NUMBERS)

    images = pictures(2)
    numbers = ((images / 255 - MEAN) / STD).transpose(0, 3, 1, 2)
    assert_answers(one, expected(model, numbers), images)


def test_bytes_go_in_as_they_are(tmp_path: Path) -> None:
    """A graph that takes uint8 and does the rest itself needs no preset."""
    cast = helper.make_node("Cast", ["pictures"], ["scaled"], to=TensorProto.FLOAT)
    model = classifier(extra=[cast])
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    one = added(save(tmp_path, model), tmp_path)

    images = pictures(2)
    assert_answers(one, expected(model, images.transpose(0, 3, 1, 2)), images)


def test_probabilities_stay_what_they_are(tmp_path: Path) -> None:
    """Behind a softmax there is no second one; a graph of bare logits gets one."""
    images = pictures(2)
    numbers = (images / 255).transpose(0, 3, 1, 2)
    wanted = expected(classifier(), numbers)
    for softmax in (False, True):
        folder = tmp_path / str(softmax)
        folder.mkdir()
        one = added(save(folder, classifier(softmax=softmax)), folder, *ZERO_ONE)
        assert_answers(one, wanted, images)
        roles = [tensor.role for tensor in one.manifest.graph.outputs]
        assert roles == (["probabilities"] if softmax else ["probabilities", "logits"])


def test_weights_beside_the_file_come_along(tmp_path: Path) -> None:
    """External data are read from beside the file, and lie in the version's own one."""
    model = classifier()
    saved: Any = {"save_as_external_data": True, "location": "net.bin", "size_threshold": 0}
    onnx.save(classifier(), tmp_path / "net.onnx", **saved)
    one = added(tmp_path / "net.onnx", tmp_path, *ZERO_ONE)
    (tmp_path / "net.bin").unlink()

    images = pictures(1)
    assert_answers(one, expected(model, (images / 255).transpose(0, 3, 1, 2)), images)
    assert one.manifest.graph.external == ()


@pytest.mark.parametrize("batch", [1, 4])
def test_batch_is_opened_where_that_is_proven(tmp_path: Path, batch: int) -> None:
    """A reshape with the batch written in is opened; any number of pictures goes in then."""
    model = classifier(batch=batch)
    flatten = next(node for node in model.graph.node if node.op_type == "Flatten")
    shape = onnx.numpy_helper.from_array(np.array([batch, 8]), "flat")
    model.graph.initializer.append(shape)
    reshape = helper.make_node("Reshape", [flatten.input[0], "flat"], list(flatten.output))
    flatten.CopyFrom(reshape)
    one = added(save(tmp_path, model), tmp_path, *ZERO_ONE)

    images = pictures(3)
    numbers = (images / 255).transpose(0, 3, 1, 2)
    assert one.manifest.graph.inputs[0].shape[0] is None
    assert_answers(one, expected(classifier(), numbers), images)


@pytest.mark.parametrize("batch", ["n", 1, 2])
def test_batch_stays_fixed_where_items_are_mixed(tmp_path: Path, batch: Any) -> None:
    """Where a picture's answer depends on its neighbours, the file's own batch is kept."""
    model = classifier(batch=batch, opset=17)
    (last,) = (node for node in model.graph.node if node.output[0] == "scores")
    last.output[0] = "own"
    model.graph.node.append(helper.make_node("ReduceMax", ["own"], ["most"], axes=[0], keepdims=1))
    model.graph.node.append(helper.make_node("Sub", ["own", "most"], ["less"]))
    model.graph.node.append(helper.make_node("Add", ["less", "own"], ["scores"]))
    one = added(save(tmp_path, model), tmp_path, *ZERO_ONE)

    assert one.manifest.graph.inputs[0].shape[0] == (1 if batch == "n" else batch)
    assert_maps_are_those_of_the_whole(one)


def test_classes_may_lie_on_any_one_axis(tmp_path: Path) -> None:
    """(N, classes, 1, 1), as of a net that ends in convolutions and a pooling."""
    model = classifier()
    for node in list(model.graph.node)[-2:]:
        model.graph.node.remove(node)
    (pooled,) = (node for node in model.graph.node if node.op_type == "GlobalAveragePool")
    pooled.output[0] = "scores"
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    one = added(save(tmp_path, model), tmp_path, *ZERO_ONE)

    assert one.run(pictures(2))["probabilities"].shape == (2, 8)


def test_one_of_several_outputs_is_taken(tmp_path: Path) -> None:
    """The output that fits the labels; where several do, the one that is named."""
    model = classifier(softmax=True)
    model.graph.output.append(helper.make_tensor_value_info("d", 1, None))
    model.graph.output.append(helper.make_tensor_value_info("g", 1, None))
    file = save(tmp_path, model)
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join("abcde"))
    one = added(file, tmp_path, *ZERO_ONE, "--labels", str(labels), "--output", "g")

    assert one.manifest.labels == tuple("abcde")
    assert len(one.run(pictures(1))["probabilities"][0]) == CLASSES
    other = added(file, tmp_path / "other", *ZERO_ONE)
    images = pictures(1)
    np.testing.assert_allclose(*(v.run(images)["probabilities"] for v in (one, other)), atol=1e-6)
