import numpy as np
import pytest

from service.contract.errors import DeviceUnavailable, InvalidModel
from service.runtime import CPU, CUDA, choose_provider, open_session
from tests.tiny_models import colors_graph


def refusal(model: bytes) -> str:
    with pytest.raises(InvalidModel) as caught:
        open_session(model, "cpu", 1, "m/1/model.onnx")
    assert caught.value.file == "m/1/model.onnx"
    return caught.value.reason


def test_session_describes_and_runs_its_graph() -> None:
    """Inputs and outputs go by name, and dynamic axes are None."""
    session = open_session(colors_graph().SerializeToString(), "cpu", 1, "colors")
    (images,), (probabilities,) = session.inputs, session.outputs
    assert (images.name, images.dtype, images.shape) == ("images", "uint8", (None, 8, 8, 3))
    assert (probabilities.dtype, probabilities.shape) == ("float32", (None, 3))
    answer = session.run({"images": np.full((2, 8, 8, 3), (255, 0, 0), np.uint8)})
    assert answer["probabilities"].argmax(axis=1).tolist() == [0, 0]
    assert session.execution_provider == CPU


def test_opset_too_new_is_told_in_plain_words() -> None:
    """The reason names the opset and how far this ONNX Runtime goes."""
    reason = refusal(colors_graph(opset=999).SerializeToString())
    assert reason.startswith("needs opset 999, which is too new: ONNX Runtime")


@pytest.mark.parametrize("model", [b"", b"no graph", b"\x08\x0a"])
def test_what_is_no_graph_is_refused_without_chatter(
    model: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    """The reason is one clean line, and nothing is printed on the side."""
    reason = refusal(model)
    assert "\n" not in reason
    assert "onnxruntime::" not in reason
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


def test_auto_takes_what_really_works() -> None:
    """auto is CUDA exactly where asking for CUDA succeeds, and never fails itself."""
    try:
        expected = choose_provider("cuda")
    except DeviceUnavailable:
        expected = CPU
    assert choose_provider("auto") == expected


def test_cuda_that_is_not_to_be_had_is_an_error() -> None:
    """Asking for CUDA either gives a session on CUDA or an error; never the CPU."""
    model = colors_graph().SerializeToString()
    try:
        session = open_session(model, "cuda", 1, "colors")
    except DeviceUnavailable as error:
        told = str(error)
    else:
        told = session.execution_provider
    assert told == CUDA or told.startswith("CUDA was asked for but is not to be had: ")
