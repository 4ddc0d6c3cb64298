"""ONNX Runtime, and nothing else imports it."""

import contextlib
import functools
import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import DeviceUnavailable, InvalidModel
from service.cpus import available_cpus
from service.device import Device

# Official Linux builds from 1.29 on report usage to Microsoft unless told not to before import.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime as ort  # type: ignore[import-untyped]

Arrays = Mapping[str, NDArray[Any]]

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_FATAL_ONLY = 4  # what matters comes back as an exception; the rest is chatter on stderr
ort.set_default_logger_severity(_FATAL_ONLY)
# The default cuDNN search costs hundreds of ms for every new input shape, and the default
# arena doubles whatever it has to grow by.
# TF32 rounds to ten bits: a model would miss its golden outputs, and maps PyTorch's.
_CUDA_OPTIONS = {
    "use_tf32": "0",
    "cudnn_conv_algo_search": "HEURISTIC",
    "arena_extend_strategy": "kSameAsRequested",
}
_NVIDIA_MARKS = ("/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/dxg")


@dataclass(frozen=True)
class TensorInfo:
    """A graph input or output as ONNX Runtime sees it; None stands for a dynamic axis."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


class Session:
    """A loaded graph. `run` may be called from several threads at once."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session
        self.inputs = tuple(_describe(tensor) for tensor in session.get_inputs())
        self.outputs = tuple(_describe(tensor) for tensor in session.get_outputs())

    @property
    def execution_provider(self) -> str:
        """The provider that the session really has, whatever was asked for."""
        return str(self._session.get_providers()[0])

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return every output by name, for arrays by input name."""
        names = [tensor.name for tensor in self.outputs]
        answers: Sequence[Any] = self._session.run(names, dict(inputs))
        return {name: np.asarray(answer) for name, answer in zip(names, answers, strict=True)}


def open_session(model: bytes | Path, device: Device, threads: int, shown_as: str) -> Session:
    """Load a graph onto the device.

    threads: for one run on the CPU; 0 takes what the CPU quota grants.
    shown_as: the file's name in error messages.
    Raises: InvalidModel if ONNX Runtime refuses the graph; DeviceUnavailable if
        `cuda` was asked for and the session did not get it.
    """
    provider = choose_provider(device)
    source = str(model) if isinstance(model, Path) else model
    try:
        session = _open(source, provider, threads)
    except Exception as error:  # its exceptions have no base class of their own
        raise InvalidModel(shown_as, _refusal(error)) from error
    if device == "cuda" and session.execution_provider != CUDA:
        raise DeviceUnavailable(f"{shown_as} was asked onto CUDA, but could not be placed there.")
    return session


def choose_provider(device: Device) -> str:
    """Return the execution provider for the device: `auto` takes CUDA when it really works.

    Raises: DeviceUnavailable if `cuda` was asked for and does not work, with the reason.
    """
    if device == "cpu":
        return CPU
    obstacle = _obstacle_to_cuda()
    if obstacle and device == "cuda":
        raise DeviceUnavailable(f"CUDA was asked for but is not to be had: {obstacle}")
    return CPU if obstacle else CUDA


@functools.cache
def _obstacle_to_cuda() -> str | None:
    """Say why CUDA does not work here, or None if it does; only a real session proves it."""
    if CUDA not in ort.get_available_providers():
        return f"this ONNX Runtime {ort.__version__} was built without it."
    # Without this look, a machine that has no GPU would pay for loading CUDA at every start.
    if not any(os.path.exists(mark) for mark in _NVIDIA_MARKS):
        return "no NVIDIA GPU is visible on this machine."
    libraries = io.StringIO()
    with contextlib.redirect_stdout(libraries):  # it prints what it misses
        ort.preload_dlls()
    if _open(_probe(), CUDA, threads=1).execution_provider == CUDA:
        return None
    missing = " ".join(libraries.getvalue().split())[:300]
    return f"ONNX Runtime could not start it; pip install 'convscope[cuda]' may help. {missing}"


def _probe() -> bytes:
    # onnx is slow to import, and only machines with a GPU get here
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "probe", ends[:1], ends[1:])
    opsets = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def _open(source: str | bytes, provider: str, threads: int) -> Session:
    options = ort.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.intra_op_num_threads = threads or available_cpus()
    options.inter_op_num_threads = 1
    # Spinning threads triple the CPU use of sparse requests and starve their neighbours.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[Any] = [CPU] if provider == CPU else [(CUDA, _CUDA_OPTIONS), CPU]
    return Session(ort.InferenceSession(source, options, providers=providers))


def _refusal(error: Exception) -> str:
    """Turn ONNX Runtime's message into a sentence without its C++ signatures."""
    text = " ".join(str(error).split())
    opset = re.search(r"Opset (\d+) is under development.*till opset (\d+)", text)
    if opset:
        return (
            f"needs opset {opset[1]}, which is too new: "
            f"ONNX Runtime {ort.__version__} goes up to opset {opset[2]}"
        )
    told = text.rsplit(") ", 1)[-1] if "onnxruntime::" in text else text.split(" : ", 2)[-1]
    return f"ONNX Runtime {ort.__version__} cannot load it: {told}"


def _describe(tensor: ort.NodeArg) -> TensorInfo:
    dtype = tensor.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(size if isinstance(size, int) else None for size in tensor.shape)
    return TensorInfo(tensor.name, {"float": "float32"}.get(dtype, dtype), shape)
