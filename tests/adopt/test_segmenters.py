from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from tests.adopt.added import ZERO_ONE, added, assert_maps_are_those_of_the_whole, say
from tests.adopt.graphs import model, save, value

TASK = "image-segmentation"
SIDE = 8


def segmenter(
    classes: int, stride: int = 1, last: str = "", sides: tuple[object, object] = (SIDE, SIDE)
) -> onnx.ModelProto:
    """One convolution to maps; `last` is the operator behind it."""
    weight = np.random.default_rng(2).normal(0, 1, (classes, 3, 3, 3)).astype(np.float32)
    outputs = ["a" if last else "maps"]
    nodes = [
        helper.make_node("Conv", ["x", "head.weight"], outputs, pads=[1] * 4, strides=[stride] * 2)
    ]
    kind = TensorProto.FLOAT
    if last == "ArgMax":
        nodes.append(helper.make_node("ArgMax", ["a"], ["maps"], axis=1, keepdims=0))
        kind = TensorProto.INT64
    elif last == "Transpose":
        nodes.append(helper.make_node("Transpose", ["a"], ["maps"], perm=[0, 2, 3, 1]))
    elif last:
        nodes.append(helper.make_node(last, ["a"], ["maps"]))
    given = [value("x", ["n", 3, *sides])]
    return model(nodes, given, [value("maps", None, kind)], {"head.weight": weight})


def pictures(height: int = SIDE, width: int = SIDE) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (2, height, width, 3), np.uint8)


def maps_of(net: onnx.ModelProto, images: np.ndarray) -> np.ndarray:
    numbers = (images / 255).astype(np.float32).transpose(0, 3, 1, 2)
    found: np.ndarray = ReferenceEvaluator(net).run(None, {"x": numbers})[0]
    return found


@pytest.mark.parametrize("last", ["", "Transpose"])
def test_maps_of_logits_become_masks(tmp_path: Path, last: str) -> None:
    """Wherever the classes are, the mask is the likeliest, and probabilities sum to one."""
    net = segmenter(4, last=last)
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\n")
    labels = ("--labels", str(tmp_path / "labels.txt"))
    one = added(save(tmp_path, net), tmp_path, *ZERO_ONE, *labels, task=TASK)

    images = pictures()
    answer = one.run(images)
    logits = maps_of(segmenter(4), images)
    assert (answer["mask"] == logits.argmax(1)).all()
    powers = np.exp(logits)
    np.testing.assert_allclose(answer["probabilities"], powers / powers.sum(1, keepdims=True), 1e-4)
    assert len(set(one.manifest.colors)) == 4
    assert_maps_are_those_of_the_whole(one)


def test_small_maps_are_enlarged_to_the_input(tmp_path: Path) -> None:
    """A net that gives a cell for four pixels answers at every pixel."""
    one = added(save(tmp_path, segmenter(3, stride=2)), tmp_path, *ZERO_ONE, task=TASK)

    answer = one.run(pictures())
    assert answer["mask"].shape == (2, SIDE, SIDE)
    assert answer["probabilities"].shape == (2, 3, SIDE, SIDE)


def test_one_map_is_of_the_second_class(tmp_path: Path) -> None:
    """Foreground alone, through a sigmoid or not: the rest is background."""
    (tmp_path / "labels.txt").write_text("background\nthing\n")
    labels = ("--labels", str(tmp_path / "labels.txt"))
    images = pictures()
    wanted = 1 / (1 + np.exp(-maps_of(segmenter(1), images)[:, 0]))
    for last in ("", "Sigmoid"):
        root = tmp_path / f"models{last}"
        file = save(tmp_path, segmenter(1, last=last))
        answer = added(file, root, *ZERO_ONE, *labels, task=TASK).run(images)
        np.testing.assert_allclose(answer["probabilities"][:, 1], wanted, atol=1e-5)
        assert (answer["mask"] == (wanted > 0.5)).all()


def test_indices_of_classes_are_a_mask(tmp_path: Path) -> None:
    """A graph that ends in ArgMax gives the mask itself."""
    one = added(save(tmp_path, segmenter(4, last="ArgMax")), tmp_path, *ZERO_ONE, task=TASK)

    images = pictures()
    answer = one.run(images)
    assert (answer["mask"] == maps_of(segmenter(4), images).argmax(1)).all()
    assert (answer["probabilities"].argmax(1) == answer["mask"]).all()


def test_pictures_of_any_size_go_in(tmp_path: Path) -> None:
    """A graph that leaves both sides open may keep the picture's shape."""
    net = segmenter(3, sides=("h", "w"))
    flags = (*ZERO_ONE, "--size", "8x12", "--resize", "same_area", "--multiple", "4")
    one = added(save(tmp_path, net), tmp_path, *flags, task=TASK)

    images = pictures(16, 4)
    assert (one.run(images)["mask"] == maps_of(net, images).argmax(1)).all()
    assert one.manifest.graph.taps[-1].shape == (3, None, None)


def test_picture_without_maps_is_refused(tmp_path: Path) -> None:
    """What gives one number a class is no segmenter."""
    net = segmenter(4, last="GlobalAveragePool")
    result = say(save(tmp_path, net), tmp_path / "models", *ZERO_ONE, task=TASK)

    assert (result.exit_code, "No output has the shape" in result.output) == (1, True)


def test_more_classes_than_columns_are_still_classes(tmp_path: Path) -> None:
    """What has the proportions of the picture are the maps, however small they are."""
    one = added(save(tmp_path, segmenter(20, stride=2)), tmp_path, *ZERO_ONE, task=TASK)

    assert len(one.manifest.labels) == 20


def test_indices_are_of_all_classes_of_the_argmax(tmp_path: Path) -> None:
    """Not only of those that a few noises show; and other labels than these are refused."""
    net = segmenter(7, last="ArgMax")
    (weight,) = net.graph.initializer
    numbers = np.zeros((7, 3, 3, 3), np.float32)
    numbers[0] = 1  # so that nothing but the first class is ever seen
    weight.CopyFrom(onnx.numpy_helper.from_array(numbers, weight.name))
    one = added(save(tmp_path, net), tmp_path, *ZERO_ONE, task=TASK)
    (tmp_path / "labels.txt").write_text("a\nb\nc\n")
    labels = ("--labels", str(tmp_path / "labels.txt"))
    refused = say(tmp_path / "net.onnx", tmp_path / "other", *ZERO_ONE, *labels, task=TASK)

    assert len(one.manifest.labels) == 7
    assert refused.exit_code == 1
    assert "3 labels, but the ArgMax is over 7" in refused.output


def test_more_classes_than_a_mask_holds_are_refused(tmp_path: Path) -> None:
    """In a sentence, before anything is written."""
    file = save(tmp_path, segmenter(300, last="ArgMax"))
    refused = say(file, tmp_path / "models", *ZERO_ONE, task=TASK)

    assert refused.exit_code == 1
    assert "has 300 classes; a mask holds 255 at most" in refused.output


def test_means_in_units_of_bytes_are_asked_about(tmp_path: Path) -> None:
    """Numbers of 0 to 255 go with --scale 1; without it every picture would be black."""
    file = save(tmp_path, segmenter(3))
    means = ("--mean", "123.7,116,103", "--std", "58,57,57")
    refused = say(file, tmp_path / "models", *means, task=TASK)
    added(file, tmp_path / "models", *means, "--scale", "1", task=TASK)

    assert refused.exit_code == 1
    assert "say --scale 1 too" in refused.output


def test_large_maps_are_kept_for_one_sample(tmp_path: Path) -> None:
    """Three of 10 MB each would have to be read at every start."""
    net = segmenter(40, sides=(256, 256))
    one = added(save(tmp_path, net), tmp_path, *ZERO_ONE, task=TASK)
    with np.load(one.folder / "golden.npz") as stored:
        counts = {len(stored[name]) for name in stored.files}

    assert counts == {1}
