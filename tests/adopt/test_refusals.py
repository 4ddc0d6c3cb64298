from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.adopt.added import ZERO_ONE, say
from tests.adopt.graphs import SIDE, classifier, model, save, value


def passing(shape: list[object], kind: int = TensorProto.FLOAT) -> onnx.ModelProto:
    """A graph that gives what it takes."""
    node = helper.make_node("Identity", ["pictures"], ["scores"])
    return model([node], [value("pictures", shape, kind)], [value("scores", None, kind)], {})


def custom() -> onnx.ModelProto:
    made = classifier()
    made.graph.node[0].op_type, made.graph.node[0].domain = "Fancy", "some.where"
    made.opset_import.append(helper.make_opsetid("some.where", 1))
    return made


def versioned(opset: int = 17, ir_version: int = 8) -> onnx.ModelProto:
    made = classifier()
    made.opset_import[0].version, made.ir_version = opset, ir_version
    return made


def two_inputs() -> onnx.ModelProto:
    made = classifier()
    made.graph.input.append(value("more", [1, 3, SIDE, SIDE]))
    return made


def outside() -> onnx.ModelProto:
    made = classifier()
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../elsewhere.bin")
    return made


def random() -> onnx.ModelProto:
    return classifier(extra=[helper.make_node("RandomNormalLike", ["pictures"], ["scaled"])])


def in_training() -> onnx.ModelProto:
    reads = ["pictures", "one", "zero", "zero", "one"]
    norm = helper.make_node(
        "BatchNormalization", reads, ["scaled", "mean", "variance"], training_mode=1
    )
    made = classifier(extra=[norm])
    for name, number in (("one", 1), ("zero", 0)):
        numbers = np.full(3, number, np.float32)
        made.graph.initializer.append(onnx.numpy_helper.from_array(numbers, name))
    return made


def not_a_number() -> onnx.ModelProto:
    made = classifier()
    broken = np.full((6, 3, 3, 3), np.nan, np.float32)
    made.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(broken, "stem.weight"))
    return made


def ambiguous() -> onnx.ModelProto:
    node = helper.make_node("GlobalAveragePool", ["pictures"], ["scores"])
    return model([node], [value("pictures", ["n", 3, SIDE, 3])], [value("scores", None)], {})


def of_any_size() -> onnx.ModelProto:
    made = classifier()
    for axis in made.graph.input[0].type.tensor_type.shape.dim[2:]:
        axis.dim_param = "any"
    return made


@pytest.mark.parametrize(
    ("make", "flags", "told"),
    [
        (custom, ZERO_ONE, "Fancy of domain some.where, which is not known"),
        (lambda: versioned(opset=6), ZERO_ONE, "opset 6; 7 is the oldest"),
        (lambda: versioned(opset=99), ZERO_ONE, "needs opset 99, which is too new"),
        (lambda: versioned(ir_version=99), ZERO_ONE, "Unsupported model IR version: 99"),
        (two_inputs, ZERO_ONE, "has 2 inputs"),
        (lambda: passing(["n", 3, 8, 8], TensorProto.STRING), ZERO_ONE, "takes string"),
        (lambda: passing(["n", 3, 8, 8], TensorProto.INT32), ZERO_ONE, "takes int32"),
        (lambda: passing(["n", 8, 8]), ZERO_ONE, "has 3 axes; a picture has four"),
        (lambda: passing(["n", 4, 8, 8]), ZERO_ONE, "is no picture"),
        (lambda: passing(["n", 3, 8, 8]), ZERO_ONE, "No output has the shape (N, classes)"),
        (ambiguous, ZERO_ONE, "say --layout NCHW or --layout NHWC"),
        (of_any_size, ZERO_ONE, "--size"),
        (outside, ZERO_ONE, "does not lie beside it"),
        (random, ZERO_ONE, "differs from run to run"),
        (not_a_number, ZERO_ONE, "NaN"),
        (in_training, ZERO_ONE, "export the net in evaluation mode"),
        (classifier, (), "Say --preset"),
        (classifier, (*ZERO_ONE, "--mean", "0.5"), "not both"),
        (classifier, ("--mean", "0.1,0.2"), "2 numbers, but the input has 3 channels"),
        (classifier, (*ZERO_ONE, "--size", "20"), "--size must agree"),
        (classifier, (*ZERO_ONE, "--output", "none"), "There is no output 'none'"),
        (classifier, (*ZERO_ONE, "--labels", "gone.txt"), "cannot be read"),
        (classifier, (*ZERO_ONE, "--resize", "none"), "segmenters that take pictures of any size"),
        (classifier, (*ZERO_ONE, "--name", "Not A Name"), "is no model name"),
        (classifier, (*ZERO_ONE, "--sample-rate", "8000"), "are for sounds"),
    ],
)
def test_what_cannot_be_added_gets_a_sentence(
    tmp_path: Path, make: Callable[[], onnx.ModelProto], flags: tuple[str, ...], told: str
) -> None:
    """One sentence that says what is wrong, an exit code, and nothing left behind."""
    result = say(save(tmp_path, make()), tmp_path / "models", *flags)

    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert told in result.output
    assert not list((tmp_path / "models").rglob("*"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 something else", b"hello " * 50])
def test_what_is_no_onnx_file_gets_a_sentence(tmp_path: Path, content: bytes) -> None:
    """Empty, a zip, a text."""
    (tmp_path / "net.onnx").write_bytes(content)
    result = say(tmp_path / "net.onnx", tmp_path / "models", *ZERO_ONE)

    assert result.exit_code == 1
    assert "is no ONNX graph" in result.output


def test_file_that_ends_early_gets_a_sentence(tmp_path: Path) -> None:
    """A download that broke off."""
    file = save(tmp_path, classifier())
    file.write_bytes(file.read_bytes()[:-100])
    result = say(file, tmp_path / "models", *ZERO_ONE)

    assert (result.exit_code, "is no ONNX graph" in result.output) == (1, True)


def test_labels_of_another_number_get_a_sentence(tmp_path: Path) -> None:
    """Labels that are not as many as the graph's classes are told beside what the graph has."""
    (tmp_path / "labels.txt").write_text("one\ntwo\nthree\n")
    flags = (*ZERO_ONE, "--labels", str(tmp_path / "labels.txt"))
    result = say(save(tmp_path, classifier()), tmp_path / "models", *flags)

    assert result.exit_code == 1
    assert "has 3 labels" in result.output
    assert "'scores' float32 (N, 5)" in result.output


def test_version_is_never_overwritten(tmp_path: Path) -> None:
    """A number that is taken is refused; without one the next is taken."""
    file, root = save(tmp_path, classifier()), tmp_path / "models"
    assert say(file, root, *ZERO_ONE, "--version", "3").exit_code == 0
    before = (root / "net" / "3" / "manifest.json").read_bytes()
    again = say(file, root, *ZERO_ONE, "--version", "3")

    assert again.exit_code == 1
    assert "is there already" in again.output
    assert (root / "net" / "3" / "manifest.json").read_bytes() == before
    assert say(file, root, *ZERO_ONE).exit_code == 0
    assert sorted(folder.name for folder in root.rglob("*") if folder.is_dir()) == ["3", "4", "net"]
