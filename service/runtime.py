"""ONNX Runtime, and nothing else imports it."""

import contextlib
import functools
import io
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import (
    DeviceFault,
    DeviceUnavailable,
    InvalidModel,
    ModelNotReady,
    SetupError,
)
from service.cpus import available_cpus
from service.device import ANYWHERE, Device, Gpu, Placement

# Official Linux builds from 1.29 on report usage to Microsoft unless told not to before import.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime as ort  # type: ignore[import-untyped]

Arrays = Mapping[str, NDArray[Any]]

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
_FATAL_ONLY = 4  # what matters comes back as an exception; the rest is chatter on stderr
ort.set_default_logger_severity(_FATAL_ONLY)
# What CUDA says when its context is lost: nothing that this process runs there can succeed.
_FAULTS = (
    "cudaErrorIllegalAddress",
    "an illegal memory access was encountered",
    "unspecified launch failure",
    "device-side assert triggered",
    "uncorrectable ECC error",
    "the GPU has fallen off the bus",
    "CUDA error cudaErrorLaunchFailure",
)
ONNX_RUNTIME: str = ort.__version__
_NVIDIA_MARKS = ("/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/dxg")


@dataclass(frozen=True)
class TensorInfo:
    """A graph input or output as ONNX Runtime sees it; None stands for a dynamic axis."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


_NOTHING: Mapping[str, bytes] = {}
# Takes the providers, the threads and whether they spin between a run's steps.
_Make = Callable[..., ort.InferenceSession]


class Session:
    """A loaded graph. `run` may be called from several threads at once.

    alone: the same graph set up for a run that has the machine to itself, or None.
    execution_provider: the one that it really has, whatever was asked for.
    has_two: whether a run that is alone takes another way than one in company.
    """

    def __init__(
        self, session: ort.InferenceSession, alone: ort.InferenceSession | None = None
    ) -> None:
        self._session: ort.InferenceSession | None = session
        self._alone = alone
        self.execution_provider = str(session.get_providers()[0])
        self.has_two = alone is not None
        self.inputs = tuple(_describe(tensor) for tensor in session.get_inputs())
        self.outputs = tuple(_describe(tensor) for tensor in session.get_outputs())
        self._names = [tensor.name for tensor in self.outputs]

    def run(self, inputs: Arrays, alone: bool = False) -> dict[str, NDArray[Any]]:
        """Return every output by name, for arrays by input name.

        alone: nothing else is being worked on, so that every processor may be used.
        Raises: DeviceFault if the device itself broke; ModelNotReady if it is closed.
        """
        session = self._alone if alone and self._alone is not None else self._session
        if session is None:
            raise ModelNotReady("The model was unloaded.")
        try:
            answers: Sequence[Any] = session.run(self._names, dict(inputs))
        except Exception as error:  # its exceptions have no base class of their own
            if is_device_fault(str(error)):
                raise DeviceFault(f"The device failed: {_first_line(error)}") from error
            raise
        return {name: np.asarray(answer) for name, answer in zip(self._names, answers, strict=True)}

    def close(self) -> None:
        """Give the memory back as soon as no run needs it, whoever still refers to this.

        A request that failed leaves its frames in a circle with its traceback, so that there
        is no telling when the last reference goes.
        """
        self._session = self._alone = None


def is_device_fault(message: str) -> bool:
    """Tell whether ONNX Runtime's message means that the device is lost to this process.

    Being out of memory is not among these: a smaller batch may fit.
    """
    return any(mark in message for mark in _FAULTS)


def open_session(
    model: bytes | Path,
    shown_as: str,
    placement: Placement = ANYWHERE,
    external: Mapping[str, bytes] = _NOTHING,
    arena: bool = True,
) -> Session:
    """Load a graph, on the CPU twice if the threads of a shared and a lone run differ.

    shown_as: the file's name in error messages.
    external: weights that lie outside of the graph, by the name of their file. If there are
        any, no path in the graph is followed.
    arena: keep the memory that a run on the CPU took for the next one.
    Raises: InvalidModel if ONNX Runtime refuses the graph; DeviceUnavailable if
        `cuda` was asked for and the session did not get it.
    """
    provider = choose_provider(placement.device)
    source = str(model) if isinstance(model, Path) else model
    make = functools.partial(
        _make, source, external=external, custom_ops=placement.custom_ops, arena=arena
    )
    try:
        session = _open(make, provider, placement)
    except Exception as error:  # its exceptions have no base class of their own
        raise InvalidModel(shown_as, _refusal(error)) from error
    if placement.device == "cuda" and session.execution_provider == CPU:
        raise DeviceUnavailable(f"{shown_as} was asked onto CUDA, but could not be placed there.")
    return session


def check_custom_ops(library: Path) -> None:
    """Raises: SetupError if ONNX Runtime cannot take operators from the library."""
    try:
        ort.SessionOptions().register_custom_ops_library(str(library))
    except Exception as error:  # its exceptions have no base class of their own
        told = _first_line(error).rpartition(": ")[2]
        raise SetupError(f"The operators in {library} cannot be had: {told}.") from error


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


def sees_gpu() -> bool:
    """Return whether an NVIDIA GPU is visible, whether or not it works."""
    return any(os.path.exists(mark) for mark in _NVIDIA_MARKS)


@functools.cache
def _obstacle_to_cuda() -> str | None:
    """Say why CUDA does not work here, or None if it does; only a real session proves it."""
    if CUDA not in ort.get_available_providers():
        return f"this ONNX Runtime {ort.__version__} was built without it."
    # Without this look, a machine that has no GPU would pay for loading CUDA at every start.
    if not sees_gpu():
        return "no NVIDIA GPU is visible on this machine."
    libraries = io.StringIO()
    with contextlib.redirect_stdout(libraries):  # it prints what it misses
        ort.preload_dlls()
    make = functools.partial(_make, _probe())
    if _open(make, CUDA, ANYWHERE).execution_provider == CUDA:
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


def gpu_providers(gpu: Gpu, available: Collection[str]) -> list[Any]:
    """Return the providers for a GPU, best first, with the options of each.

    The default cuDNN search costs hundreds of ms for every new input shape, and the default
    arena doubles whatever it has to grow by. TF32 rounds to ten bits: a model would miss its
    golden outputs, and maps PyTorch's.
    Raises: DeviceUnavailable if TensorRT was asked for but is not among the `available`.
    """
    common = {"device_id": str(gpu.index)}
    cuda = {
        **common,
        "use_tf32": "0",
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
    }
    if gpu.memory_bytes:
        cuda["gpu_mem_limit"] = str(gpu.memory_bytes)
    if gpu.tensorrt_cache is None:
        return [(CUDA, cuda), CPU]
    if TENSORRT not in available:
        raise DeviceUnavailable("TensorRT was asked for, but this ONNX Runtime has it not.")
    # Building an engine takes minutes: it is kept for the next start.
    tensorrt = {
        **common,
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(gpu.tensorrt_cache),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(gpu.tensorrt_cache),
    }
    if gpu.memory_bytes:
        tensorrt["trt_max_workspace_size"] = str(gpu.memory_bytes)
    return [(TENSORRT, tensorrt), (CUDA, cuda), CPU]


def _open(make: _Make, provider: str, placement: Placement) -> Session:
    if provider == CUDA:
        return Session(make(gpu_providers(placement.gpu, ort.get_available_providers()), 1))
    threads = placement.threads
    shared, alone = threads.shared or available_cpus(), threads.alone or available_cpus()
    session = make([CPU], shared)
    return Session(session, None if alone == shared else make([CPU], alone, spin=True))


def _make(
    source: str | bytes,
    providers: list[Any],
    threads: int,
    spin: bool = False,
    external: Mapping[str, bytes] = _NOTHING,
    custom_ops: Path | None = None,
    arena: bool = True,
) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.enable_cpu_mem_arena = arena
    options.log_severity_level = _FATAL_ONLY
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads answer sooner within a run, but starve their neighbours between runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spin else "0")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if external:
        options.add_external_initializers_from_files_in_memory(
            list(external), list(external.values()), list(map(len, external.values()))
        )
    if custom_ops:
        options.register_custom_ops_library(str(custom_ops))
    return ort.InferenceSession(source, options, providers=providers)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]


def _refusal(error: Exception) -> str:
    """Turn ONNX Runtime's message into a sentence without its C++ signatures."""
    text = " ".join(str(error).split())
    opset = re.search(r"Opset (\d+) is under development.*till opset (\d+)", text)
    if opset:
        return (
            f"needs opset {opset[1]}, which is too new: "
            f"ONNX Runtime {ort.__version__} goes up to opset {opset[2]}"
        )
    unknown = _operator_unknown(text)
    if unknown:
        return unknown
    told = text.rsplit(") ", 1)[-1] if "onnxruntime::" in text else text.split(" : ", 2)[-1]
    return f"ONNX Runtime {ort.__version__} cannot load it: {told}"


def _operator_unknown(text: str) -> str | None:
    """Return a sentence if the message is one of those by which an operator is unknown."""
    found = re.search(
        r"(?P<domain>[^\s:]*):(?P<op>\w+)\(-?\d+\) is not a registered function/op"
        r'|In Node, \(".*?", (?P<op_>\w+), "(?P<domain_>.*?)", -?\d+\).*'
        r"Error No (Op registered|opset import)",
        text,
    )
    if not found:
        return None
    op, domain = found["op"] or found["op_"], found["domain"] or found["domain_"]
    told = f"uses the operator {op} of domain {domain or 'ai.onnx'}, which is not known here"
    return told + ("; --custom-ops may name a library that has it" if domain else "")


def _describe(tensor: ort.NodeArg) -> TensorInfo:
    dtype = tensor.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(size if isinstance(size, int) else None for size in tensor.shape)
    return TensorInfo(tensor.name, {"float": "float32"}.get(dtype, dtype), shape)
