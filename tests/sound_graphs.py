"""Small graphs that take waveforms, written node by node, and models made of them."""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import soundfile
from numpy.typing import NDArray
from onnx import TensorProto, helper

from service.contract.golden import write_golden
from service.contract.manifest import (
    FileRef,
    Golden,
    Manifest,
    Provenance,
    Task,
    Tensor,
    write_manifest,
)
from service.contract.specs import AudioPreprocessing
from service.graph.layers import describe_layers
from tests.onnx_graphs import Net, open_session, write_graph


class SoundNet(Net):
    """A graph that takes `waveforms`, float32 (batch, samples), and grows by one node a call."""

    def __init__(self, samples: int, seed: int = 0) -> None:
        super().__init__(1, 1, 1, seed)
        self.nodes.clear()
        self.initializers.clear()
        shape = ["batch", samples]
        self.inputs = [helper.make_tensor_value_info("waveforms", TensorProto.FLOAT, shape)]
        self.last = "waveforms"

    def sequence(self) -> str:
        """Make the waveform a sequence of one channel, (batch, 1, samples)."""
        output = self.node("Unsqueeze", self.last, self.axes(1), name="input/Unsqueeze")
        self.channels[output] = 1
        return output

    def axes(self, *axes: int) -> str:
        """Add a constant list of axes."""
        return self.constant(np.array(axes, np.int64))

    def powers(self, window: Sequence[float] | NDArray[np.float32], hop: int) -> str:
        """Add a short-time Fourier transform and its powers, (batch, frames, frequencies)."""
        weights = self.constant(np.asarray(window, np.float32))
        step, length = (self.constant(np.int64(number)) for number in (hop, len(window)))
        waveform = self.node("Unsqueeze", self.last, self.axes(-1))
        self.node("STFT", waveform, step, weights, length, name="stft/STFT", onesided=1)
        self.node("Mul", self.last, self.last)
        return self.node("ReduceSum", self.last, self.axes(-1), name="powers/Sum", keepdims=0)

    def log_mel(self, filters: NDArray[np.float32]) -> str:
        """Gather the powers into bands, and take logarithms, (batch, 1, bands, frames).

        filters: (bands, frequencies).
        """
        self.node("Transpose", self.last, name="turned/Transpose", perm=[0, 2, 1])
        self.node("MatMul", self.constant(filters), self.last, name="bands/MatMul")
        self.node("Add", self.last, self.constant(np.float32(1e-6)))
        self.node("Log", self.last)
        output = self.node("Unsqueeze", self.last, self.axes(1), name="log_mel/Unsqueeze")
        self.channels[output] = 1
        return output


def hamming(samples: int) -> NDArray[np.float32]:
    """Return a window that is zero nowhere."""
    return np.hamming(samples).astype(np.float32)


def triangles(bands: int, frequencies: int) -> NDArray[np.float32]:
    """Return bands of equal width that overlap by half, (bands, frequencies)."""
    middles = np.linspace(0, frequencies - 1, bands + 2)
    distance = np.abs(np.arange(frequencies) - middles[1:-1, None])
    return np.clip(1 - distance / middles[1], 0, None).astype(np.float32)


def run_taps(
    model: onnx.ModelProto, waveforms: NDArray[np.float32]
) -> dict[str, NDArray[np.float32]]:
    """Return every tap of the layer table for the waveforms (N, samples)."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    for layer in describe_layers(model).layers:
        shown.graph.output.add(name=layer.name)
    return open_session(shown.SerializeToString())({"waveforms": waveforms})


RATE_HZ = 8000
WINDOW = 4000
# Samples from cell to cell of `silence`, and those that each cell sees.
STRIDE, SEEN = 40, 80


def silence_graph() -> onnx.ModelProto:
    """Return the lecture's neuron: the mean of the amplitude, and whether it is next to nothing.

    waveforms (batch, 4000) -> mask (batch, 99), 1 where it is silent, and probabilities.
    """
    net = SoundNet(WINDOW)
    net.sequence()
    net.node("Abs", net.last, name="amplitude/Abs")
    mean = net.constant(np.full((1, 1, SEEN), 1 / SEEN, np.float32))
    net.node("Conv", net.last, mean, name="envelope/Conv", strides=[STRIDE])
    loud = net.node("Sub", net.last, net.constant(np.float32(0.01)), name="loud/Sub")
    silent = net.node("Neg", loud, name="silent/Neg")
    logits = net.node("Concat", loud, silent, name="logits/Concat", axis=1)
    net.node("Softmax", logits, name="probabilities", axis=1)
    net.node("ArgMax", logits, name="head/ArgMax", axis=1, keepdims=0)
    net.node("Cast", net.last, name="mask", to=TensorProto.UINT8)
    model = net.model("mask", "probabilities")
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.UINT8
    return model


def tones_graph() -> onnx.ModelProto:
    """Return a net on log-mel bands that tells low sounds from high ones.

    waveforms (batch, 4000) -> logits and probabilities (batch, 2).
    """
    net = SoundNet(WINDOW)
    net.powers(hamming(256), hop=128)
    net.log_mel(triangles(16, 129))
    net.conv(4, (3, 3), name="conv/Conv", pads=[1] * 4)
    net.node("Relu", net.last, name="conv/Relu")
    net.node("ReduceMean", net.last, net.axes(1), keepdims=1)
    net.node("ReduceMean", net.last, net.axes(3), name="bands/Mean", keepdims=0)
    net.node("Flatten", net.last, name="flat/Flatten")
    net.gemm(16, 2, name="logits")
    net.node("Softmax", net.last, name="probabilities", axis=1)
    return net.model("logits", "probabilities")


def write_silence(root: Path) -> Path:
    """Write a complete version folder of `silence_graph`, and return it."""
    frames = (WINDOW - SEEN) // STRIDE + 1
    return _write(
        root / "silence" / "1",
        silence_graph(),
        "audio-segmentation",
        AudioPreprocessing(
            sample_rate_hz=RATE_HZ,
            window_samples=WINDOW,
            hop_samples=frames * STRIDE,
            tail="zeros",
        ),
        (
            Tensor(name="mask", dtype="uint8", shape=(None, frames), role="mask"),
            Tensor(
                name="probabilities",
                dtype="float32",
                shape=(None, 2, frames),
                role="probabilities",
            ),
        ),
    )


def write_tones(root: Path) -> Path:
    """Write a complete version folder of `tones_graph`, and return it."""
    roles: tuple[Literal["logits", "probabilities"], ...] = ("logits", "probabilities")
    return _write(
        root / "tones" / "1",
        tones_graph(),
        "audio-classification",
        AudioPreprocessing(sample_rate_hz=RATE_HZ, window_samples=WINDOW, hop_samples=WINDOW // 2),
        tuple(Tensor(name=role, dtype="float32", shape=(None, 2), role=role) for role in roles),
    )


def _write(
    folder: Path,
    model: onnx.ModelProto,
    task: Task,
    spec: AudioPreprocessing,
    outputs: tuple[Tensor, ...],
) -> Path:
    folder.mkdir(parents=True)
    name = folder.parent.name
    _, entry = write_graph(model, folder)
    (folder / "CARD.md").write_text(f"# {name}\n")
    inputs = {"waveforms": np.random.default_rng(0).normal(0, 0.1, (2, WINDOW)).astype(np.float32)}
    write_golden(folder / "golden.npz", inputs, open_session(model.SerializeToString())(inputs))
    tensor = Tensor(name="waveforms", dtype="float32", shape=spec.input_shape)
    graph = entry.model_copy(
        update={"file": _ref(folder / "model.onnx"), "inputs": (tensor,), "outputs": outputs}
    )
    manifest = Manifest(
        name=name,
        version=1,
        task=task,
        description="Hears a little.",
        preprocessing=spec,
        graphs=(graph,),
        labels=("first", "second"),
        golden=Golden(file=_ref(folder / "golden.npz")),
        provenance=Provenance(
            recipe="none", dataset="none", seed=0, created="2026-11-21", versions={}
        ),
        license="MIT",
    )
    write_manifest(folder, manifest)
    return folder


def _ref(file: Path) -> FileRef:
    return FileRef(path=file.name, sha256=hashlib.sha256(file.read_bytes()).hexdigest())


def wav(waveform: NDArray[np.float32], rate_hz: int = RATE_HZ) -> bytes:
    """Return the waveform (samples,) as a file that keeps every bit of it."""
    file = io.BytesIO()
    soundfile.write(file, waveform, rate_hz, format="WAV", subtype="FLOAT")
    return file.getvalue()


def noise(samples: int, seed: int = 0) -> NDArray[np.float32]:
    """Return a loud waveform without any order."""
    return np.random.default_rng(seed).uniform(-0.5, 0.5, samples).astype(np.float32)
