from pathlib import Path

import numpy as np
import pytest

from service.contract.errors import DeviceUnavailable, InvalidModel
from service.device import ON_CPU, Gpu, Placement, Threads
from service.runtime import (
    CPU,
    CUDA,
    TENSORRT,
    choose_provider,
    gpu_providers,
    is_device_fault,
    open_session,
)
from tests.tiny_models import colors_graph


def refusal(model: bytes) -> str:
    with pytest.raises(InvalidModel) as caught:
        open_session(model, "m/1/model.onnx", ON_CPU)
    assert caught.value.file == "m/1/model.onnx"
    return caught.value.reason


def test_session_describes_and_runs_its_graph() -> None:
    """Inputs and outputs go by name, and dynamic axes are None."""
    session = open_session(colors_graph().SerializeToString(), "colors", ON_CPU)
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
        session = open_session(model, "colors", Placement("cuda"))
    except DeviceUnavailable as error:
        told = str(error)
    else:
        told = session.execution_provider
    assert told == CUDA or told.startswith("CUDA was asked for but is not to be had: ")


def test_run_that_is_alone_gives_what_one_in_company_gives() -> None:
    """The two ways through a session differ in threads and in nothing else."""
    placement = Placement("cpu", Threads(1, 2))
    session = open_session(colors_graph().SerializeToString(), "colors", placement)
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    assert session.has_two
    alone, shared = (session.run({"images": images}, way)["probabilities"] for way in (True, False))
    np.testing.assert_allclose(alone, shared, rtol=1e-6)


def test_session_whose_ways_would_be_the_same_is_held_once() -> None:
    """Weights are in memory twice only where that buys something."""
    graph = colors_graph().SerializeToString()
    assert not open_session(graph, "colors", Placement("cpu", Threads(2, 2))).has_two


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ("CUDA failure 700: an illegal memory access was encountered ; GPU=0", True),
        ("CUDA error cudaErrorIllegalAddress:an illegal memory access", True),
        ("CUDA failure 2: out of memory ; GPU=0", False),
        ("[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got invalid dimensions", False),
    ],
)
def test_lost_device_is_told_from_a_failed_run(message: str, fault: bool) -> None:
    """Only what makes the device useless for good is a fault; the next batch may fit."""
    assert is_device_fault(message) is fault


def test_gpu_is_asked_for_what_is_wanted_of_it() -> None:
    """The right one, within its memory, without the slow search and without rounding."""
    (name, options), last = gpu_providers(Gpu(index=3, memory_bytes=10**9), [CUDA, CPU])
    assert (name, last) == (CUDA, CPU)
    assert options["device_id"] == "3"
    assert options["gpu_mem_limit"] == "1000000000"
    assert options["cudnn_conv_algo_search"] == "HEURISTIC"
    assert options["arena_extend_strategy"] == "kSameAsRequested"
    assert options["use_tf32"] == "0"


def test_tensorrt_comes_first_and_keeps_its_engines(tmp_path: Path) -> None:
    """It is taken only if asked for, with CUDA and the CPU behind it."""
    (first, options), (second, _), last = gpu_providers(
        Gpu(tensorrt_cache=tmp_path), [TENSORRT, CUDA, CPU]
    )
    assert (first, second, last) == (TENSORRT, CUDA, CPU)
    assert options["trt_engine_cache_path"] == str(tmp_path)


def test_tensorrt_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Never a silent step down."""
    with pytest.raises(DeviceUnavailable, match="TensorRT was asked for"):
        gpu_providers(Gpu(tensorrt_cache=tmp_path), [CUDA, CPU])
